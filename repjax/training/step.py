"""Training of ONE run as pure functions: start, one step, many steps."""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from repjax.models import Model
from repjax.models.lookup import Elements, list_pairs
from repjax.tasks.pairs import split
from repjax.training.blocks import ALL_AT_ONCE, Blocks, TrainPairs, sum_over_blocks
from repjax.training.losses import cross_entropy
from repjax.training.state import RunState
from repjax.typing import Array, Bool, Int, Key, Params, Scalar


def init_run(
    key: Key[Array, ""],
    model: Model,
    optimizer: optax.GradientTransformation,
    num_pairs: int | Int[Array, ""],
    capacity: int | None = None,
) -> RunState:
    """Return a run at step 0: its split and weights depend on `key` alone.

    `num_pairs` and `capacity` are those of `repjax.tasks.pairs.split`.
    """
    split_key, weights_key = jax.random.split(key)
    nobody = jnp.zeros(1, jnp.int32)
    params = model.init(weights_key, nobody, nobody)
    return RunState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        train_pairs=split(split_key, model.order, num_pairs, capacity),
    )


def train_steps(
    state: RunState,
    num_steps: int | Int[Array, ""],
    model: Model,
    optimizer: optax.GradientTransformation,
    labels: Int[Array, " train"],
    blocks: Blocks = ALL_AT_ONCE,
    steps_a_turn: int = 1,
) -> tuple[RunState, Scalar]:
    """Take `num_steps` full-batch steps of one run; return its state and last loss.

    `labels` holds the labels of the training pairs, the only data about the group.

    `num_steps` is an operand of the loop, not a constant of the program, so chunks of
    every length share one compilation. `blocks` divides the pairs of a step, by default
    into a single block. `steps_a_turn` steps are taken in one turn of the loop, which
    saves copies and launches on a GPU. A run whose loss is no longer finite is frozen:
    its weights stay as they are, and its `step` is the one at which that happened.
    """
    is_pair = state.train_pairs < model.order**2
    num_pairs = jnp.sum(is_pair)
    pairs = TrainPairs(
        pair=jnp.where(is_pair, state.train_pairs, 0),
        labels=jnp.where(is_pair, labels, 0),
        weights=jnp.where(is_pair, 1.0 / num_pairs, 0.0),
    )
    listed = _listed(pairs, is_pair, model.order) if blocks.listed else None
    loss_and_gradient = partial(
        _loss_and_gradient,
        model,
        pairs=pairs,
        num_pairs=num_pairs,
        blocks=blocks,
        listed=listed,
    )

    def step(_, carry):
        params, opt_state, taken, _ = carry
        loss, gradient = loss_and_gradient(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        finite = jnp.isfinite(loss)
        updates = jax.tree.map(lambda x: jnp.where(finite, x, 0.0), updates)
        params = optax.apply_updates(params, updates)
        return params, opt_state, taken + finite, loss

    def some_steps(turn, carry):
        for _ in range(steps_a_turn):
            carry = step(turn, carry)
        return carry

    carry = (state.params, state.opt_state, state.step, jnp.zeros((), jnp.float32))
    if steps_a_turn > 1:
        carry = jax.lax.fori_loop(0, num_steps // steps_a_turn, some_steps, carry)
        num_steps = num_steps % steps_a_turn
    params, opt_state, taken, loss = jax.lax.fori_loop(0, num_steps, step, carry)
    return state.replace(step=taken, params=params, opt_state=opt_state), loss


def _listed(
    pairs: TrainPairs, is_pair: Bool[Array, " train"], order: int
) -> tuple[Elements, Elements]:
    """Return the left and the right elements, with the pairs of each listed."""
    left, right = jnp.divmod(pairs.pair, order)
    return list_pairs(left, order, is_pair), list_pairs(right, order, is_pair)


def _loss_and_gradient(
    model: Model,
    params: Params,
    pairs: TrainPairs,
    num_pairs: Int[Array, ""],
    blocks: Blocks,
    listed: tuple[Elements, Elements] | None = None,
) -> tuple[Scalar, Params]:
    """Return the weighted mean loss over `pairs`, and its gradient in the weights.

    The tables, which depend on elements only, are computed once and not in every block
    of pairs; so is the backward pass from the tables to the weights.
    """
    tables, pull_back = jax.vjp(
        lambda params: model.apply(params, method="tables"), params
    )
    # Without the barrier XLA fuses the transposes into every product, which then takes
    # 1.6 times as long.
    tables = jax.lax.optimization_barrier(tables)

    def share_of_loss(tables, some):
        left, right = listed or jnp.divmod(some.pair, model.order)
        logits = model.logits(tables, left, right)
        return jnp.sum(some.weights * cross_entropy(logits, some.labels, 0))

    loss, by_table = sum_over_blocks(
        partial(jax.value_and_grad(share_of_loss), tables), pairs, num_pairs, blocks
    )
    (gradient,) = pull_back(by_table)
    return loss, gradient
