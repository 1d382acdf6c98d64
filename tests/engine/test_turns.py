import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.engine.turns import in_batches, in_turn


def doubled(run):
    """Of one run; refuses a batch."""
    chex.assert_shape(run["row"], (3,))
    return {"sum": jnp.sum(run["row"]), "twice": 2 * run["row"]}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_batches_of_any_size_give_every_run_its_own_result(size):
    """7 runs: batches of 2, 3 and 4 leave some over."""
    runs = {"row": np.arange(21.0, dtype=np.float32).reshape(7, 3)}
    found = jax.jit(lambda runs: in_batches(doubled, runs, size))(runs)
    expected = {"sum": runs["row"].sum(1), "twice": 2 * runs["row"]}
    chex.assert_trees_all_equal(jax.device_get(found), expected)


def test_the_function_is_traced_once_even_if_runs_are_left_over():
    traces = []

    def traced(run):
        traces.append(run)
        return run

    jax.make_jaxpr(lambda runs: in_batches(traced, runs, 3))(np.zeros((7, 2)))
    assert len(traces) == 1


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_runs_without_a_turn_stay_zero(turns):
    runs = {"row": np.ones((6, 3), np.float32)}
    found = in_turn(
        lambda some: in_batches(doubled, some, 2), runs, jnp.int32(turns), 2
    )
    np.testing.assert_array_equal(
        found["sum"], [3.0] * (2 * turns) + [0.0] * (6 - 2 * turns)
    )
