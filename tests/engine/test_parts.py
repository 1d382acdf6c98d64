"""A cell that no device can hold, trained in parts: the same runs."""

import math
import time
from dataclasses import replace

import chex
import jax
import numpy as np
import pytest

from repjax.engine import placement
from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import Parts, build_ensemble
from repjax.engine.placement import fit_together, plan_for
from repjax.engine.plan import USABLE
from repjax.engine.progress import Progress
from repjax.engine.train import _Pace
from tests.tiny import tiny_cell, train_cell

CELL = tiny_cell(num_seeds=5)


def trained(ensemble, num_steps=20):
    """States and losses of all runs, and every metric."""
    state, loss = ensemble.train(ensemble.init(), num_steps)
    return ensemble.fetch(state), ensemble.fetch(loss), ensemble.evaluate(state)


@pytest.fixture(scope="module")
def devices():
    return jax.devices()[:2]


@pytest.fixture(scope="module")
def whole(devices):
    return trained(Ensemble([CELL], devices))


@pytest.mark.parametrize("num_parts", [2, 5])
def test_parts_are_the_runs_of_one_program(whole, devices, num_parts):
    chex.assert_trees_all_equal(trained(Parts([CELL], num_parts, devices)), whole)


def test_parts_share_one_program(devices):
    """5 runs in 4 parts: one of two runs, three of one."""
    parts = Parts([CELL], 4, devices)._ensembles
    seeds = [cell.seeds for part in parts for cell in part.cells]
    assert seeds == [(1,), (2,), (3, 4), (5,)]
    for part in parts:
        part.train(part.init(), 1)
        assert part._train is parts[0]._train and part._init is parts[0]._init
    assert parts[0]._train.function._cache_size() == 1


def test_what_is_fetched_can_be_placed_in_other_parts(whole, devices):
    """As when a cell goes on with more or less memory."""
    two, three = Parts([CELL], 2, devices), Parts([CELL], 3, devices)
    state, _ = two.train(two.init(), 7)
    state = three.place(two.fetch(state))
    state, loss = three.train(state, 13)
    chex.assert_trees_all_equal((three.fetch(state), three.fetch(loss)), whole[:2])
    chex.assert_trees_all_equal_shapes_and_dtypes(three.abstract(), whole[0])


def test_two_cells_may_be_too_much_together(monkeypatch):
    one, other = tiny_cell(), tiny_cell(groups=("C7",))
    together = sum(plan_for(cell).total_bytes(True) for cell in (one, other))
    for usable, fits in ((together, True), (together - 1, False), (1, False)):
        monkeypatch.setattr(
            placement, "_memory", lambda _, n=usable: math.ceil(n / USABLE)
        )
        assert fit_together([one, other]) == fits


def test_a_divided_cell_leaves_what_a_whole_one_does(tmp_path, monkeypatch):
    """As on an accelerator, whose memory is not the host's."""
    many = tiny_cell(num_seeds=40, num_steps=5)
    one = train_cell(many, tmp_path / "one", Progress())
    divided = replace(plan_for(many), parts=3)
    monkeypatch.setattr("repjax.engine.parts.plan_for", lambda *_: divided)
    assert isinstance(build_ensemble([many]), Parts)
    three = train_cell(many, tmp_path / "three", Progress())
    assert one.metrics.keys() == three.metrics.keys()
    for name, values in one.metrics.items():
        np.testing.assert_array_equal(three.metrics[name], values)


def test_moving_states_lengthens_chunks():
    pace = _Pace(5.0)
    for _ in range(12):
        # 20 s to move the states, a tenth of a second for each step.
        pace.learn(pace.steps, 20 + 0.1 * pace.steps, 20.0)
    assert pace.steps == 300  # 30 s of training
    pace = _Pace(5.0)
    for _ in range(12):
        pace.learn(pace.steps, 0.1 * pace.steps, 0.0)
    assert pace.steps == 50


def test_time_of_moving_is_known(devices, monkeypatch):
    """Without that of training, half a second for each of two parts."""
    parts = Parts([CELL], 2, devices)
    state, train = parts.init(), Ensemble.train
    parts.train(state, 1)  # compiles

    def slowly(*arguments):
        time.sleep(0.5)
        return train(*arguments)

    monkeypatch.setattr(Ensemble, "train", slowly)
    start = time.monotonic()
    parts.train(state, 1)
    assert 0 < parts.overhead < time.monotonic() - start - 1
