"""Training of ONE run as pure functions: start, one step, many steps."""

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
) -> tuple[RunState, Scalar]:
    """`num_steps` full-batch steps of one run, and the loss that the last one saw.

    `num_steps` is an operand of the loop, not a constant of the program, so chunks of
    every length share one compilation.
    """
    left, right = jnp.divmod(state.train_pairs, model.order)
    label = labels[left, right]

    def loss_of(params):
        return jnp.mean(cross_entropy(model.apply(params, left, right), label))

    def step(_, carry):
        params, opt_state, _ = carry
        loss, gradient = jax.value_and_grad(loss_of)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    start = (state.params, state.opt_state, jnp.zeros((), jnp.float32))
    params, opt_state, loss = jax.lax.fori_loop(0, num_steps, step, start)
    state = state.replace(
        step=state.step + num_steps, params=params, opt_state=opt_state
    )
    return state, loss
