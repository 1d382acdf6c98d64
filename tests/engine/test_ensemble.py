import re

import chex
import jax
import numpy as np
import pytest

from repjax.engine import ensemble as ensemble_module
from repjax.engine import plan
from repjax.engine.ensemble import Ensemble
from tests.tiny import tiny_cell


def train(cell, num_devices, num_steps=20):
    """Final states and losses, metrics, of an ensemble on so many devices."""
    ensemble = Ensemble([cell], jax.devices()[:num_devices])
    state, loss = ensemble.train(ensemble.init(), num_steps)
    return ensemble.fetch((state, loss)), ensemble.evaluate(state)


@pytest.fixture(scope="module")
def eight_on_one():
    return train(tiny_cell(num_seeds=8), 1)


def assert_same_up_to_rounding(one, other):
    """XLA compiles a program for one device a little differently from one for many."""
    chex.assert_trees_all_close(one, other, rtol=1e-4, atol=1e-5)


def test_one_device_and_eight_give_the_same(eight_on_one):
    assert_same_up_to_rounding(eight_on_one, train(tiny_cell(num_seeds=8), 8))


@pytest.mark.parametrize("architecture", ["bilinear", "transformer"])
def test_one_device_and_two_give_the_same(architecture):
    cell = tiny_cell(architectures=(architecture,), num_seeds=2)
    assert_same_up_to_rounding(train(cell, 1), train(cell, 2))


def test_more_seeds_change_no_old_run(eight_on_one):
    few = train(tiny_cell(num_seeds=2), 1)
    chex.assert_trees_all_equal(few, jax.tree.map(lambda x: x[:2], eight_on_one))


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_a_seed_is_the_same_run_wherever_it_stands(architecture):
    """On two devices: third of three, or alone while a device rests."""
    options = {"architectures": (architecture,)}
    of_three = train(tiny_cell(num_seeds=3, **options), 2)
    third = jax.tree.map(lambda x: x[2:3], of_three)
    alone = train(tiny_cell(num_seeds=1, first_seed=3, **options), 2)
    chex.assert_trees_all_equal(third, alone)


@pytest.mark.parametrize("architecture", ["mlp", "bilinear"])
def test_a_run_that_cores_share_is_that_of_one_core(monkeypatch, architecture):
    """As S6: alone on 4 cores, and beside others, when each core has its own."""
    monkeypatch.setattr(plan, "DIVIDED_FROM", 0)
    monkeypatch.setattr(plan, "CPU_BLOCKS", ((100, 3),))
    options = {"architectures": (architecture,)}
    alone = tiny_cell(num_seeds=1, **options)
    assert Ensemble([alone], jax.devices()[:4]).plan.sharing == 4
    shared = train(alone, 4)
    beside_others = train(tiny_cell(num_seeds=4, **options), 4)
    chex.assert_trees_all_equal(shared, jax.tree.map(lambda x: x[:1], beside_others))


@pytest.mark.parametrize("runs_per_device", [0, 2])
def test_a_run_that_diverges_leaves_the_others_alone(runs_per_device):
    """In one program, batched and in turn, their bits are those without it."""
    cell = tiny_cell(runs_per_device=runs_per_device)
    ensemble = Ensemble([cell], jax.devices()[:2])
    start = ensemble.fetch(ensemble.init())
    broken = jax.tree.map(np.copy, start)
    broken.params["params"]["W"][1, 0, 0] = np.nan

    def after(state):
        trained, loss = ensemble.train(ensemble.place(state), 9)
        return ensemble.fetch((trained, loss)), ensemble.evaluate(trained)

    whole, with_broken = after(start), after(broken)
    others = [0, 2]
    chex.assert_trees_all_equal(
        *(jax.tree.map(lambda x: x[others], run) for run in (whole, with_broken))
    )
    np.testing.assert_array_equal(with_broken[1]["trained_steps"], [9, 0, 9])
    assert np.isnan(with_broken[0][1][1])


def test_seeds_differ():
    ensemble = Ensemble([tiny_cell()])
    state = ensemble.fetch(ensemble.init())
    for leaf in [*jax.tree.leaves(state.params), state.train_pairs]:
        assert not np.array_equal(leaf[0], leaf[1])


@pytest.mark.parametrize("runs_per_device", [2, 3, 8])
def test_batched_and_in_turn_agree_up_to_rounding(eight_on_one, runs_per_device):
    """Other devices batch the runs that fit, CPUs take them one by one."""
    cell = tiny_cell(num_seeds=8, runs_per_device=runs_per_device)
    batched = train(cell, 1)
    plan = Ensemble([cell], jax.devices()[:1]).plan
    assert plan.at_once == runs_per_device and plan.slots >= 2 * plan.at_once
    chex.assert_trees_all_close(batched, eight_on_one, rtol=1e-3, atol=1e-4)


def test_runs_are_padded_to_the_devices_and_padding_is_dropped():
    ensemble = Ensemble([tiny_cell(num_seeds=3)], jax.devices()[:2])
    assert ensemble.width == 4
    _, loss = ensemble.train(ensemble.init(), 3)
    assert loss.shape == (4,)
    assert ensemble.fetch(loss).shape == (3,)


def test_a_fetched_state_goes_on_with_other_devices():
    cell = tiny_cell(num_seeds=5)
    four, two = (Ensemble([cell], jax.devices()[:count]) for count in (4, 2))
    state, _ = four.train(four.init(), 7)
    fetched = four.fetch(state)
    chex.assert_trees_all_equal_shapes_and_dtypes(fetched, two.abstract())
    moved, _ = two.train(two.place(fetched), 13)
    stayed, _ = four.train(state, 13)
    assert_same_up_to_rounding(two.fetch(moved), four.fetch(stayed))


def test_one_compilation_per_cell(monkeypatch):
    """Chunks of every length, from a new and from a restored state."""
    traces = []

    def counted(*arguments, **options):
        traces.append(1)
        return train_steps(*arguments, **options)

    train_steps = ensemble_module.train_steps
    monkeypatch.setattr(ensemble_module, "train_steps", counted)
    ensemble = Ensemble([tiny_cell()])
    state, _ = ensemble.train(ensemble.init(), 1)
    after_first = len(traces)
    for num_steps in (1, 5, 8):
        state, _ = ensemble.train(state, num_steps)
    state, _ = ensemble.train(ensemble.place(ensemble.fetch(state)), 3)
    assert len(traces) == after_first
    assert ensemble._train.function._cache_size() == 1


def test_the_state_is_donated():
    ensemble = Ensemble([tiny_cell()])
    state = ensemble.init()
    ensemble.train(state, 1)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def lowered(ensemble):
    data, labels = ensemble._data, ensemble._bases.labels
    return ensemble._train.function.lower(
        ensemble.init(), data, labels, ensemble._turns, np.int32(3)
    )


def test_devices_do_not_talk():
    ensemble = Ensemble([tiny_cell(num_seeds=4)], jax.devices()[:4])
    program = lowered(ensemble).compile().as_text()
    assert "fusion" in program or "dot" in program
    assert not re.search(
        r"all-reduce|all-gather|collective-permute|all-to-all", program
    )


def test_matmul_precision_reaches_the_program():
    def program(precision):
        ensemble = Ensemble([tiny_cell(matmul_precision=precision)])
        return lowered(ensemble).as_text()

    assert "HIGHEST" in program("highest") and "DEFAULT" not in program("highest")
    assert "HIGHEST" not in program("default")


def test_only_training_takes_the_precision_that_was_asked_for():
    """Measured coarsely, a network would seem to be another."""
    cell = tiny_cell(matmul_precision="default", runs_per_device=2)
    ensemble = Ensemble([cell], jax.devices()[:1])
    state = ensemble.init()
    training = lowered(ensemble).as_text()
    index, bases = ensemble._data.basis, ensemble._bases
    rest = ensemble._evaluate_rest.function.lower(state, index, ensemble._turns, bases)
    measuring = rest.as_text()
    assert "precision = [DEFAULT, DEFAULT]" in training and "HIGHEST" not in training
    assert "precision = [HIGHEST, HIGHEST]" in measuring and "DEFAULT" not in measuring


@pytest.mark.parametrize("changes", [{}, {"runs_per_device": 2}])
def test_programs_compiled_in_threads_give_the_same_bits(changes):
    """Restored as well as started, since both come with other arrays."""

    def trained(in_threads):
        ensemble = Ensemble([tiny_cell(num_seeds=5, **changes)])
        if in_threads:
            ensemble.start_compiling()
        state, _ = ensemble.train(ensemble.init(), 3)
        state, loss = ensemble.train(ensemble.place(ensemble.fetch(state)), 4)
        compiled_once = ensemble._train.function._cache_size()
        return ensemble.fetch((state, loss)), ensemble.evaluate(state), compiled_once

    *found, late = trained(in_threads=True)
    *expected, early = trained(in_threads=False)
    chex.assert_trees_all_equal(found, expected)
    assert (late, early) == (0, 1)
