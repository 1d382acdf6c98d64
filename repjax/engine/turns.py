"""Apply what is written for one run to all runs of a device, in batches and turns."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from repjax.typing import Array, Int


def in_turn(
    batched: Callable, runs: Any, num_turns: Int[Array, ""], at_once: int
) -> Any:
    """Apply `batched` to `at_once` runs at a time, in the first `num_turns` turns.

    `num_turns` is an operand, so padding takes no turn and one run is compiled like
    many (see `make_plan`).
    """

    def take(turn):
        return jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, turn * at_once, at_once), runs
        )

    def one_turn(turn, results):
        return jax.tree.map(
            lambda all_, some: jax.lax.dynamic_update_slice_in_dim(
                all_, some, turn * at_once, 0
            ),
            results,
            batched(take(turn)),
        )

    width = jax.tree.leaves(runs)[0].shape[0]
    some = jax.eval_shape(lambda: batched(take(0)))
    empty = jax.tree.map(lambda x: jnp.zeros((width, *x.shape[1:]), x.dtype), some)
    return jax.lax.fori_loop(0, num_turns, one_turn, empty)


def in_batches(function: Callable, runs: Any, size: int) -> Any:
    """Apply `function`, written for one run, to all runs, `size` of them together.

    The last batch is padded with its last run, so that the function is compiled once.
    """
    width = jax.tree.leaves(runs)[0].shape[0]
    some = _alone(function) if size == 1 else jax.vmap(function)
    if size == width:
        return some(runs)
    batches = -(-width // size)
    source = np.minimum(np.arange(batches * size), width - 1).reshape(batches, size)
    results = jax.lax.map(some, jax.tree.map(lambda x: x[source], runs))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:width], results)


def _alone(function: Callable) -> Callable:
    """Return `jax.vmap(function)` for one run, without the cost of batching."""

    def of_one(runs):
        result = function(jax.tree.map(lambda x: x[0], runs))
        return jax.tree.map(lambda x: x[None], result)

    return of_one
