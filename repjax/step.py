"""Training of ONE run as pure functions: start, one step, many steps."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from repjax.data import split
from repjax.losses import cross_entropy
from repjax.models import Model
from repjax.state import RunState
from repjax.typing import Array, Int, Key, Scalar


def init_run(
    key: Key[Array, ""],
    model: Model,
    optimizer: optax.GradientTransformation,
    train_fraction: float,
) -> RunState:
    """A run at step 0: its split and weights depend on `key` alone."""
    split_key, weights_key = jax.random.split(key)
    nobody = jnp.zeros(1, jnp.int32)
    params = model.init(weights_key, nobody, nobody)
    return RunState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        train_pairs=split(split_key, model.order, train_fraction),
    )


def train_steps(
    state: RunState,
    num_steps: int | Int[Array, ""],
    model: Model,
    optimizer: optax.GradientTransformation,
    labels: Int[Array, "group group"],
    block: int | None = None,
) -> tuple[RunState, Scalar]:
    """`num_steps` full-batch steps of one run, and the loss that the last one saw.

    `num_steps` is an operand of the loop, not a constant of the program, so chunks of
    every length share one compilation. `block` is the number of pairs whose activations
    may exist together, all by default. A run whose loss is no longer finite is frozen:
    its weights stay as they are, and its `step` is the one at which that was seen.
    """

    def loss_of(params, pairs):
        left, right = jnp.divmod(pairs, model.order)
        label = labels[left, right]
        return jnp.mean(cross_entropy(model.apply(params, left, right), label))

    def step(_, carry):
        params, opt_state, taken, _ = carry
        loss, gradient = _mean_over_blocks(
            partial(jax.value_and_grad(loss_of), params), state.train_pairs, block
        )
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        finite = jnp.isfinite(loss)
        updates = jax.tree.map(lambda x: jnp.where(finite, x, 0.0), updates)
        params = optax.apply_updates(params, updates)
        return params, opt_state, taken + finite, loss

    start = (state.params, state.opt_state, state.step, jnp.zeros((), jnp.float32))
    params, opt_state, taken, loss = jax.lax.fori_loop(0, num_steps, step, start)
    return state.replace(step=taken, params=params, opt_state=opt_state), loss


def _mean_over_blocks(
    function: Callable, pairs: Int[Array, " train"], block: int | None
) -> Any:
    """`function(pairs)`, which is a mean over pairs, from blocks of at most `block`.

    The blocks are equal but for the last, which has what is left.
    """
    num_blocks = -(-pairs.size // block) if block else 1
    if num_blocks == 1:
        return function(pairs)
    size = pairs.size // num_blocks
    whole, rest = pairs[: num_blocks * size], pairs[num_blocks * size :]

    def add(total, one):
        return jax.tree.map(jnp.add, total, function(one)), None

    in_blocks = whole.reshape(num_blocks, size)
    start = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(function, in_blocks[0])
    )
    total, _ = jax.lax.scan(add, start, in_blocks)
    if not rest.size:
        return jax.tree.map(lambda x: x / num_blocks, total)
    return jax.tree.map(
        lambda x, y: (x * size + y * rest.size) / pairs.size, total, function(rest)
    )
