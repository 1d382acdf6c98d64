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

PAIRS_AT_ONCE = 2**16
"""Pairs whose activations and logits exist together: bounds the memory of a step.

The S6 transformer has 207,360 training pairs, 4 GB of activations and logits if they
all exist at once. Every other cell of the paper fits in one block.
"""


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
) -> tuple[RunState, Scalar]:
    """`num_steps` full-batch steps of one run, and the loss that the last one saw.

    `num_steps` is an operand of the loop, not a constant of the program, so chunks of
    every length share one compilation.
    """

    def loss_of(params, pairs):
        left, right = jnp.divmod(pairs, model.order)
        label = labels[left, right]
        return jnp.mean(cross_entropy(model.apply(params, left, right), label))

    def step(_, carry):
        params, opt_state, _ = carry
        loss, gradient = _mean_over_blocks(
            partial(jax.value_and_grad(loss_of), params), state.train_pairs
        )
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    start = (state.params, state.opt_state, jnp.zeros((), jnp.float32))
    params, opt_state, loss = jax.lax.fori_loop(0, num_steps, step, start)
    state = state.replace(
        step=state.step + num_steps, params=params, opt_state=opt_state
    )
    return state, loss


def _mean_over_blocks(function: Callable, pairs: Int[Array, " train"]) -> Any:
    """`function(pairs)`, which is a mean over pairs, from blocks of bounded size.

    The blocks are equal but for the last, which has what is left.
    """
    num_blocks = -(-pairs.size // PAIRS_AT_ONCE)
    if num_blocks == 1:
        return function(pairs)
    size = pairs.size // num_blocks
    whole, rest = pairs[: num_blocks * size], pairs[num_blocks * size :]

    def add(total, block):
        return jax.tree.map(jnp.add, total, function(block)), None

    blocks = whole.reshape(num_blocks, size)
    start = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(function, blocks[0])
    )
    total, _ = jax.lax.scan(add, start, blocks)
    if not rest.size:
        return jax.tree.map(lambda x: x / num_blocks, total)
    return jax.tree.map(
        lambda x, y: (x * size + y * rest.size) / pairs.size, total, function(rest)
    )
