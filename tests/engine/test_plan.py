"""Layouts that fit, and sizes that are those of the programs."""

import dataclasses

import jax
import pytest

from experiments import table3
from repjax.engine.ensemble import Ensemble
from repjax.engine.plan import (
    make_plan,
    num_parameters,
    state_bytes,
    step_bytes,
)
from repjax.models import build_model
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import expand

GIB = 2**30


def paper_cell(group: str, architecture: str, runs: int = 4, **changes) -> CellConfig:
    """A cell of the paper's Table 3 with so many runs."""
    for cell in expand(from_config_dict(table3.get_config())):
        if (cell.group, cell.architecture) == (group, architecture):
            seeds = tuple(range(1, runs + 1))
            return dataclasses.replace(cell, seeds=seeds, **changes)
    raise AssertionError


@pytest.mark.parametrize("runs", [1, 2, 3, 16, 17])
def test_cores_take_their_runs_one_by_one(runs):
    plan = make_plan(paper_cell("S5", "mlp", runs), 8, True, 32 * GIB)
    assert (plan.devices, plan.at_once, plan.block) == (8, 1, 288)
    assert plan.slots == (3 if runs == 17 else 2)
    assert plan.width >= runs


def test_few_pairs_take_smaller_blocks_on_a_core():
    for group, block in (
        ("S3", 36),
        ("D6", 144),
        ("S4", 144),
        ("A5", 192),
        ("S5", 288),
    ):
        cell = dataclasses.replace(paper_cell("C113", "mlp"), group=group)
        assert make_plan(cell, 2, True, 32 * GIB).block == block


@pytest.mark.parametrize(
    ("runs", "cores", "sharing"),
    [(1, 2, 2), (1, 64, 4), (2, 2, 1), (2, 7, 2), (3, 16, 4), (3, 1, 1)],
)
def test_cores_share_a_costly_run_when_there_are_more_of_them(runs, cores, sharing):
    plan = make_plan(paper_cell("S6", "mlp", runs), cores, True, 64 * GIB)
    assert (plan.segments, plan.sharing) == (8, sharing)
    assert plan.devices % sharing == 0 and plan.teams * sharing <= cores
    for cell in (paper_cell("S5", "mlp", runs), paper_cell("S6", "transformer", runs)):
        other = make_plan(cell, cores, True, 64 * GIB)
        assert (other.segments, other.sharing) == (1, 1)
    on_gpu = make_plan(paper_cell("S6", "mlp", runs), cores, False, 64 * GIB)
    assert (on_gpu.segments, on_gpu.sharing) == (1, 1)


def test_accelerators_batch_what_fits():
    cell = paper_cell("S5", "mlp", 1000)
    widths = []
    for gibibytes in (6, 16, 80):
        plan = make_plan(cell, 1, False, gibibytes * GIB)
        assert plan.device_bytes <= 0.8 * gibibytes * GIB
        assert plan.slots % plan.at_once == 0
        assert 1000 <= plan.slots < 1000 + plan.at_once
        widths.append(plan.at_once)
    assert widths == sorted(widths) and widths[0] < 100 < widths[-1]
    assert make_plan(cell, 1, False, None).at_once == 1000


def test_no_accelerator_is_without_a_run():
    assert make_plan(paper_cell("S5", "mlp", 3), 8, False, GIB).devices == 3


def test_no_host_of_several_is_left_without_a_device():
    plan = make_plan(paper_cell("S5", "mlp", 3), 8, False, GIB, one_host=False)
    assert (plan.devices, plan.sharing) == (8, 1)


def test_a_step_too_large_for_its_device_is_taken_in_smaller_blocks():
    """The S6 transformer, on 1 GiB."""
    cell = paper_cell("S6", "transformer", 1)
    plan = make_plan(cell, 1, False, GIB)
    assert plan.block < 207_360
    assert plan.device_bytes <= 0.8 * GIB


def test_cores_that_would_not_fit_into_the_host_rest():
    cell = paper_cell("S6", "transformer", 64)
    plan = make_plan(cell, 64, True, 8 * GIB)
    assert plan.devices * plan.device_bytes <= 0.8 * 8 * GIB
    assert plan.devices < 64 and plan.width >= 64


def test_what_never_fits_on_a_device_is_trained_in_parts():
    cell = paper_cell("S6", "mlp", 4000)
    plan = make_plan(cell, 1, False, 8 * GIB, host_memory=128 * GIB)
    assert plan.runs == 4000 and plan.parts * plan.width >= 4000
    assert plan.device_bytes <= 0.8 * 8 * GIB
    assert make_plan(cell, 1, False, 128 * GIB).parts == 1


@pytest.mark.parametrize("runs", [2, 3, 5, 6])
def test_no_part_is_empty(runs):
    """Where one run fits at a time, there are as many parts as runs."""
    cell = dataclasses.replace(paper_cell("C113", "mlp", runs), group="S4")
    plan = make_plan(cell, 1, False, 11_400_000)
    assert (plan.parts, plan.width) == (runs, 1)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_runs_that_the_host_cannot_hold_are_refused(on_cpu):
    """States of 4,000 S6 MLPs are 25 GiB, and there are three copies of them."""
    cell = paper_cell("S6", "mlp", 4000)
    with pytest.raises(ConfigError, match=r"num_seeds: 4000 runs .* 7\d\.\d GiB"):
        make_plan(cell, 1, on_cpu, 64 * GIB, host_memory=64 * GIB)
    assert make_plan(cell, 1, on_cpu, 128 * GIB, host_memory=128 * GIB).runs == 4000


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_run_that_cannot_fit_is_said_in_one_line(on_cpu):
    cell = paper_cell("S6", "mlp", 4)
    with pytest.raises(ConfigError, match=r"groups: S6 is too .* more memory"):
        make_plan(cell, 1, on_cpu, 2**20)


def test_the_user_knows_better():
    cell = paper_cell("S5", "mlp", 10, runs_per_device=4)
    for on_cpu in (True, False):
        plan = make_plan(cell, 1, on_cpu, 16 * GIB)
        assert (plan.at_once, plan.slots) == (4, 12)
    with pytest.raises(ConfigError, match=r"runs_per_device: 99 .* 99 runs at once"):
        make_plan(paper_cell("S5", "mlp", 99, runs_per_device=99), 1, False, GIB)
    many = paper_cell("S5", "mlp", 1000, runs_per_device=2)
    with pytest.raises(ConfigError, match="num_seeds: 1000 runs of S5_mlp need"):
        make_plan(many, 1, True, GIB)
    with pytest.raises(ConfigError, match="groups: S6 is too large"):
        make_plan(paper_cell("S6", "mlp", 1, runs_per_device=1), 1, False, 2**20)


def test_parts_keep_to_the_runs_that_the_user_wants_together():
    """States of 500 S5 MLPs do not fit into 2 GiB twice."""
    cell = paper_cell("S5", "mlp", 500, runs_per_device=10)
    plan = make_plan(cell, 1, False, 2 * GIB)
    assert plan.at_once == 10 and plan.parts > 1
    cell = paper_cell("S5", "mlp", 500, runs_per_device=400)
    with pytest.raises(ConfigError, match="runs_per_device: 400 is not allowed"):
        make_plan(cell, 1, False, 2 * GIB)


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_weights_are_counted(architecture):
    cell = paper_cell("A5", architecture)
    one = jax.numpy.zeros(1, int)
    params = jax.eval_shape(build_model(cell, 60).init, jax.random.key(0), one, one)
    assert num_parameters(cell) == sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("group", "architecture", "runs_per_device"),
    [("A5", "mlp", 0), ("A5", "mlp", 2), ("A5", "transformer", 0)],
)
def test_sizes_are_those_of_the_compiled_step(group, architecture, runs_per_device):
    """From what XLA says it needs to a third more, up to four times that."""
    cell = paper_cell(group, architecture, 2, runs_per_device=runs_per_device)
    ensemble = Ensemble([cell], jax.devices()[:1])
    labels = ensemble._bases.labels
    lowered = ensemble._train.function.lower(
        ensemble.init(), ensemble._data, labels, ensemble._turns, 1
    )
    sizes = lowered.compile().memory_analysis()
    state = sizes.argument_size_in_bytes - labels.nbytes
    assert state == pytest.approx(ensemble.plan.slots * state_bytes(cell), rel=0.01)
    block = ensemble.plan.block
    needed = state + ensemble.plan.at_once * step_bytes(cell, block)
    assert needed / 4 < sizes.temp_size_in_bytes < needed


@pytest.mark.parametrize(
    ("group", "runs", "memory", "evaluated"),
    [
        ("S6", 4, 139, 4),
        ("S6", 9, 139, 5),  # in two batches, of which one is padded
        ("A5", 20, 139, 20),
        ("A5", 1000, 139, 36),
    ],
)
def test_small_groups_have_more_runs_evaluated_together(group, runs, memory, evaluated):
    cell = paper_cell(group, "mlp", runs)
    plan = make_plan(cell, 1, False, memory * GIB)
    assert plan.evaluated == evaluated and plan.at_once == runs
    assert plan.device_bytes <= 0.8 * memory * GIB
    assert make_plan(cell, 1, True, memory * GIB).evaluated == 1


def test_fewer_runs_are_evaluated_together_where_their_states_leave_little_memory():
    cell = paper_cell("S5", "mlp", 90, runs_per_device=90)
    plan = make_plan(cell, 1, False, GIB)
    assert (plan.at_once, plan.evaluated) == (90, 3)
    assert plan.device_bytes <= 0.8 * GIB
