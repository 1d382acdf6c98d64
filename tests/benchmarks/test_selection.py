"""The benchmark of the law of selection runs, at a small size."""

from benchmarks import selection
from repjax.report.selection import FEWEST_RUNS


def test_a_cell_of_few_runs(monkeypatch):
    monkeypatch.setattr(selection, "NUM_EVALUATIONS", 12)
    found = selection.measure(3 * FEWEST_RUNS)
    assert found.keys() == {*selection.COLUMNS} - {"others"}
    assert all(found[name] > 0 for name in found)
