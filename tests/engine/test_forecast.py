"""What is told of a sweep before it is trained."""

import re
from functools import partial

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


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")


def plan_on_cpu(cells):
    return make_plan(frame_of([cells]).cell, 2, True, 8 * GIB)


def test_what_would_be_trained_is_told():
    cells = expand(from_config_dict(table3.get_config()))
    lines = describe(cells).splitlines()
    assert sum(" runs x " in line for line in lines) == 14
    assert lines[0].startswith(cells[0].name)
    assert "order 118, mlp, 2 cells: 8 runs in one program" in lines
    total = next(line for line in lines if line.startswith("14 cells, 56 runs, "))
    on_cores, *elsewhere = lines[lines.index(total) + 1 :]
    assert re.match(r"about \d+ \w+ on \d+ CPU cores? \(compilation", on_cores)
    assert any(re.match(r"about \d+ \w+ on one A100 \(", line) for line in elsewhere)
    assert describe([]) == (
        "0 cells, 0 runs, 0.0e+00 floating-point operations; 0 programs to compile"
    )


def test_accelerators_that_take_as_long_share_a_line(monkeypatch):
    """A small sweep is compiled for most of the time; parts of 0 s are left out."""
    monkeypatch.setattr("repjax.engine.limits.num_cores", lambda: 2)
    *_, on_cores, elsewhere = describe(small_sweep()).splitlines()
    assert on_cores == (
        "about 69 seconds on 2 CPU cores (compilation 12 seconds, training 55 seconds, "
        "evaluations 2 seconds)"
    )
    assert elsewhere == (
        "about 43 seconds on one A100, H100, H200 or TPU v4 chip (compilation 40 "
        "seconds, training 3 seconds)"
    )


def small_sweep():
    return expand(from_config_dict(quickstart.get_config()))


def test_a_dry_run_tells_the_same_memory_as_the_plan_of_these_cores():
    known = describe(small_sweep(), None, None, plan_on_cpu, "cpu").splitlines()
    unknown = describe(small_sweep()).splitlines()
    assert known[1] == (
        "A5_mlp   4 runs x 14,000 steps, train fraction 0.8, 1.9e+12 operations and "
        "3.8 MiB a run; 1 at a time on each of 2 cores, 13 MiB a core"
    )
    assert unknown[1] == (
        "A5_mlp   4 runs x 14,000 steps, train fraction 0.8, 1.9e+12 operations and "
        "3.8 MiB a run (13 MiB on an accelerator)"
    )


def test_lines_fit_the_terminal_and_keep_numbers_with_their_units(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("repjax.engine.limits.num_cores", lambda: 2)
    lines = describe(small_sweep(), "0/2").splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1:3] == [
        "D12_mlp  4 runs x 12,000 steps, train fraction 0.7,",
        "    4.5e+10 operations and 1.7 MiB a run (2.1 MiB on an",
    ]


def test_only_what_is_left_is_told_and_estimated():
    d12, a5 = small_sweep()
    taken = {d12.name: d12.num_steps, a5.name: 7_000}
    rest = describe([d12, a5], None, taken, plan_on_cpu, "cpu").splitlines()
    assert rest[:3] == [
        "1 of 2 cells is finished",
        "A5_mlp  4 runs x 14,000 steps from step 7,000, train fraction 0.8, 9.3e+11 "
        "operations and 3.8 MiB a run; 1 at a time on each of 2 cores, 13 MiB a core",
        "1 cell, 4 runs, 3.7e+12 floating-point operations; 1 program to compile",
    ]
    taken[a5.name] = a5.num_steps
    assert describe([d12, a5], None, taken, plan_on_cpu, "cpu") == (
        "2 of 2 cells are finished"
    )


def test_a_shard_and_its_layout_are_told():
    cell = paper_cell("A5", "mlp")
    first, line, *_ = describe([cell], "3/8", None, plan_on_cpu).splitlines()
    assert first == "shard 3/8:"
    assert "1 at a time on each of 2 devices" in line


@pytest.mark.parametrize(
    ("kind", "known"),
    [("cpu", True), ("NVIDIA H100 80GB HBM3", True), ("TPU v4", True), ("gfx", False)],
)
def test_time_is_that_of_the_devices_that_are_there(kind, known):
    cell = paper_cell("A5", "mlp")
    *_, last = describe([cell], None, None, plan_on_cpu, kind).splitlines()
    assert ("on this machine" in last) == known
    assert ("on one " in last) != known


def test_cores_without_a_run_save_no_time():
    cell = paper_cell("A5", "mlp", 1)

    def plan(cells, cores):
        return make_plan(cells[0], cores, True, 8 * GIB)

    times = {
        cores: describe([cell], None, None, partial(plan, cores=cores), "cpu")
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
    *_, last = describe([cell], None, None, plan_on_cpu, "cpu").splitlines()
    minutes = re.match(r"about (\d+) minutes on this machine \(compilation", last)
    assert 213 / 60 / 2 <= int(minutes[1]) <= 2 * 213 / 60


def test_rounds_programs_and_snapshots_are_told():
    """Two groups of one order with other weight decays: one program, two rounds."""
    config = quickstart.get_config()
    config.groups, config.overrides = ("D6", "C12"), (("C12/*", "num_steps", 7),)
    config.sweep = (("optimizer.weight_decay", (0.5, 1.0)),)
    config.checkpoint.snapshots = True
    config.evaluation.num_evaluations = 5
    cells = expand(from_config_dict(config))
    assert [len(members) for members in group(cells)] == [2, 2]
    text = describe(cells)
    assert "order 12, mlp, 2 cells: 8 runs in one program" in text
    assert "4 cells, 16 runs" in text and "1 program to compile" in text
    size = 4 * 16 * 5 * num_parameters(cells[0])
    assert f"snapshots: {show_size(size)} in 10 files" in text


def test_evaluations_at_the_same_step_are_counted_once():
    """Of 100 log-spaced evaluations there are 21 in 20 steps."""
    config = quickstart.get_config()
    config.groups, config.overrides, config.num_steps = ("D6",), (), 20
    config.evaluation.num_evaluations = 100
    config.checkpoint.snapshots = True
    (cell,) = expand(from_config_dict(config))
    size = 4 * 4 * 21 * num_parameters(cell)
    assert f"snapshots: {show_size(size)} in 21 files," in describe([cell])


def test_a_plan_computes_no_irreps(monkeypatch):
    """Those of all groups of order up to 100 take minutes."""

    def refuse(group):
        raise AssertionError(f"irreps of {group.name}")

    irreps.real_irreps.cache_clear()
    monkeypatch.setattr(irreps, "_decompose_regular", refuse)
    cells = expand(from_config_dict(small_groups.get_config("12")))
    assert "23 cells, 184 runs" in describe(cells)
    for members in group(cells):
        plan_on_cpu(members)
