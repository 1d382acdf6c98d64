"""What is told of a sweep before it is trained."""

import pytest

from experiments import table3
from repjax.config import from_config_dict
from repjax.forecast import describe
from repjax.plan import make_plan
from repjax.rounds import group
from repjax.sweep import expand
from tests.test_plan import GIB, paper_cell


def test_what_would_be_trained_is_told():
    cells = expand(from_config_dict(table3.get_config()))
    *lines, total, times = describe(group(cells)).splitlines()
    assert sum(" runs x " in line for line in lines) == 14
    assert lines[0].startswith(cells[0].name)
    assert "order 118, mlp, 2 cells: 8 runs in one program" in lines
    assert total.startswith("14 cells, 56 runs")
    assert "CPU core" in times and "H100" in times and "hours" in times
    assert describe([]) == "0 cells, 0 runs, 0.0e+00 flop; 0 programs to compile"


def test_a_shard_and_its_layout_are_told():
    cell = paper_cell("A5", "mlp")
    plan = make_plan(cell, 2, True, 8 * GIB)
    first, line, *_ = describe([[cell]], "3/8", [plan]).splitlines()
    assert first == "shard 3/8:"
    assert "1 at once on each of 2 devices" in line


@pytest.mark.parametrize(
    ("kind", "known"),
    [("cpu", True), ("NVIDIA H100 80GB HBM3", True), ("TPU v4", True), ("gfx", False)],
)
def test_time_is_that_of_the_devices_that_are_there(kind, known):
    cell = paper_cell("A5", "mlp")
    plan = make_plan(cell, 2, True, 8 * GIB)
    *_, last = describe([[cell]], None, [plan], kind).splitlines()
    assert ("on this machine" in last) == known
    assert ("H100" in last) != known


def test_cores_without_a_run_save_no_time():
    cell = paper_cell("A5", "mlp", 1)
    times = {
        cores: describe([[cell]], None, [make_plan(cell, cores, True, 8 * GIB)], "cpu")
        for cores in (1, 8)
    }
    assert times[1].splitlines()[-1] == times[8].splitlines()[-1]
