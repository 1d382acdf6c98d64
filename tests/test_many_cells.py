"""Sweeps of thousands of cells: what is read, formed and printed only once."""

import re

from repjax import main
from repjax.engine.progress import Progress
from repjax.engine.train import train_sweep
from repjax.storage import rounds
from repjax.storage.results import CellResults
from tests.engine.test_train import CutOff, Watcher
from tests.faults.program import Sweep
from tests.programs import call
from tests.tiny import tiny_cell


def test_each_trajectory_is_read_once_a_call(tmp_path, monkeypatch):
    """One of each cell of a finished sweep; none of a cell trained in this call."""
    read, load = [], CellResults.load

    def counted(directory):
        read.append(directory.name)
        return load(directory)

    monkeypatch.setattr(CellResults, "load", counted)
    flags = Sweep(tmp_path, "S3,C6", num_steps=2, architectures="mlp").flags("workdir")
    assert call(main, *flags) == 0
    assert read == []
    tables = (tmp_path / "workdir" / "seeds.csv").read_bytes()
    assert call(main, *flags) == 0
    assert sorted(read) == ["C6_mlp", "S3_mlp"]
    assert (tmp_path / "workdir" / "seeds.csv").read_bytes() == tables


def test_long_tables_are_not_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("repjax.main.MOST_PRINTED", 1)
    monkeypatch.setattr("repjax.engine.progress.MOST_CELLS", 1)
    flags = Sweep(tmp_path, "S3,C6", num_steps=2, architectures="mlp").flags("workdir")
    assert call(main, *flags) == 0
    out = capsys.readouterr().out
    assert "W_a" not in out
    assert re.search(r"^2 cells: generalised \d/6$", out, re.MULTILINE)
    workdir = tmp_path / "workdir"
    assert out.splitlines()[-2:] == [
        "repjax: 2 cells are finished",
        f"repjax: seeds.csv and table3.* are in {workdir}; next: repjax report "
        f"--workdir={workdir}",
    ]


def test_a_begun_round_is_formed_once_whatever_the_number_of_its_cells(
    tmp_path, monkeypatch
):
    def die():
        raise CutOff

    cells = [
        tiny_cell(groups=(group,), checkpoint__every_seconds=0.0)
        for group in ("S3", "C6", "D3")
    ]
    try:
        list(train_sweep(cells, tmp_path, Watcher(4, die)))
    except CutOff:
        formed, as_wanted = [], rounds._as_wanted
        monkeypatch.setattr(
            rounds, "_as_wanted", lambda *a: formed.append(a) or as_wanted(*a)
        )
    (results,) = train_sweep(cells, tmp_path, Progress())
    assert len(results) == 3 and len(formed) == 1
