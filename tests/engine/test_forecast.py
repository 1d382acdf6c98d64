"""What is told of a sweep before it is trained."""

import re

import pytest

from experiments import quickstart, small_groups, table3
from repjax.engine.forecast import describe
from repjax.engine.placement import frame_of
from repjax.engine.plan import make_plan, num_parameters, show_size
from repjax.groups import irreps
from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand
from repjax.storage.rounds import group
from tests.engine.test_plan import GIB, paper_cell


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


def test_small_groups_are_announced_within_a_factor_of_2():
    """As measured on 2 cores: 1,000 runs of D6 213 s, of which 6 are compilation."""
    config = quickstart.get_config()
    config.groups, config.overrides = ("D6",), ()
    config.num_seeds, config.num_steps = 1000, 3000
    config.evaluation.num_evaluations = 30
    (cell,) = expand(from_config_dict(config))
    plan = make_plan(cell, 2, True, 8 * GIB)
    *_, last = describe([[cell]], None, [plan], "cpu").splitlines()
    minutes = re.match(r"about (\d+) minutes on this machine \(compilation", last)
    assert 213 / 60 / 2 <= int(minutes[1]) <= 2 * 213 / 60


def test_rounds_programs_and_snapshots_are_told():
    """Two groups of one order with other weight decays: one program, two rounds."""
    config = quickstart.get_config()
    config.groups, config.overrides = ("D6", "C12"), (("C12/*", "num_steps", 7),)
    config.sweep = (("optimizer.weight_decay", (0.5, 1.0)),)
    config.checkpoint.snapshots = True
    config.evaluation.num_evaluations = 5
    rounds = group(expand(from_config_dict(config)))
    assert [len(members) for members in rounds] == [2, 2]
    text = describe(rounds)
    assert "order 12, mlp, 2 cells: 8 runs in one program" in text
    assert "4 cells, 16 runs" in text and "1 programs to compile" in text
    size = 4 * 16 * 5 * num_parameters(rounds[0][0])
    assert f"snapshots: {show_size(size)} in 10 files" in text


def test_evaluations_at_the_same_step_are_counted_once():
    """Of 100 log-spaced evaluations there are 21 in 20 steps."""
    config = quickstart.get_config()
    config.groups, config.overrides, config.num_steps = ("D6",), (), 20
    config.evaluation.num_evaluations = 100
    config.checkpoint.snapshots = True
    (cell,) = expand(from_config_dict(config))
    size = 4 * 4 * 21 * num_parameters(cell)
    assert f"snapshots: {show_size(size)} in 21 files," in describe([[cell]])


def test_a_plan_computes_no_irreps(monkeypatch):
    """Those of all groups of order up to 100 take minutes."""

    def refuse(group):
        raise AssertionError(f"irreps of {group.name}")

    irreps.real_irreps.cache_clear()
    monkeypatch.setattr(irreps, "_decompose_regular", refuse)
    rounds = group(expand(from_config_dict(small_groups.get_config("12"))))
    assert "23 cells, 184 runs" in describe(rounds)
    for cells in rounds:
        make_plan(frame_of([cells]).cell, 2, True, 8 * GIB)
