"""A cell that no device can hold, trained in parts: the same runs."""

import math

import chex
import jax
import numpy as np
import pytest

from repjax import ensemble as ensemble_module
from repjax.ensemble import Ensemble, fit_together, plan_for
from repjax.parts import Parts, build_ensemble
from repjax.plan import USABLE
from repjax.progress import Progress
from repjax.train import train_cell
from tests.tiny import tiny_cell

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
    return trained(Ensemble(CELL, devices))


@pytest.mark.parametrize("num_parts", [2, 5])
def test_parts_are_the_runs_of_one_program(whole, devices, num_parts):
    chex.assert_trees_all_equal(trained(Parts(CELL, num_parts, devices)), whole)


def test_parts_of_one_size_share_their_programs(devices):
    """5 runs in 4 parts: one of two runs, three of one."""
    two, one, *others = Parts(CELL, 4, devices)._ensembles
    assert [part.cell.seeds for part in (two, one, *others)] == [
        (1, 2),
        (3,),
        (4,),
        (5,),
    ]
    assert two._train is not one._train
    for part in others:
        part.train(part.init(), 1)
        assert part._train is one._train and part._init is one._init
    assert one._train._cache_size() == 1


def test_what_is_fetched_can_be_placed_in_other_parts(whole, devices):
    """As when a cell goes on with more or less memory."""
    two, three = Parts(CELL, 2, devices), Parts(CELL, 3, devices)
    state, _ = two.train(two.init(), 7)
    state = three.place(two.fetch(state))
    state, loss = three.train(state, 13)
    chex.assert_trees_all_equal((three.fetch(state), three.fetch(loss)), whole[:2])
    chex.assert_trees_all_equal_shapes_and_dtypes(three.abstract(), whole[0])


def scarce_memory(monkeypatch, num_runs):
    """Memory for so many runs of a tiny cell on one device, and no more."""
    few = plan_for(tiny_cell(num_seeds=num_runs), jax.devices()[:1])
    enough = int(few.total_bytes(True) / USABLE) + 1
    monkeypatch.setattr(ensemble_module, "_memory", lambda device: enough)


def test_two_cells_may_be_too_much_together(monkeypatch):
    one, other = tiny_cell(), tiny_cell(groups=("C7",))
    together = sum(plan_for(cell).total_bytes(True) for cell in (one, other))
    for usable, fits in ((together, True), (together - 1, False), (1, False)):
        monkeypatch.setattr(
            ensemble_module, "_memory", lambda _, n=usable: math.ceil(n / USABLE)
        )
        assert fit_together([one, other]) == fits


def test_a_cell_is_divided_only_if_it_must_be(monkeypatch):
    assert isinstance(build_ensemble(CELL), Ensemble)
    many = tiny_cell(num_seeds=100)
    scarce_memory(monkeypatch, 30)
    assert isinstance(build_ensemble(CELL), Ensemble)
    divided = build_ensemble(many)
    assert isinstance(divided, Parts) and plan_for(many).parts == 4
    assert divided.num_runs == 100


def test_a_divided_cell_leaves_what_a_whole_one_does(tmp_path, monkeypatch):
    many = tiny_cell(num_seeds=40, num_steps=5)
    one_device = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda: one_device)
    one = train_cell(many, tmp_path / "one", Progress())
    scarce_memory(monkeypatch, 30)
    assert plan_for(many).parts == 2
    two = train_cell(many, tmp_path / "two", Progress())
    assert one.metrics.keys() == two.metrics.keys()
    for name, values in one.metrics.items():
        np.testing.assert_array_equal(two.metrics[name], values)
