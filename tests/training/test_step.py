"""One run: its start, its steps, and that chunks of steps change nothing."""

import dataclasses
from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.models import ARCHITECTURES
from repjax.training.blocks import ALL_AT_ONCE, Blocks, TrainPairs
from repjax.training.optim import build_optimizer
from repjax.training.state import RunState
from repjax.training.step import (
    _listed,
    _loss_and_gradient,
    init_run,
    train_steps,
)
from repjax.typing import Array
from tests import textbook
from tests.compilation import quick_jit
from tests.training.test_optim import PAPER, torch_adamw

ORDER, NUM_PAIRS = 6, 25
LABELS = np.add.outer(np.arange(ORDER), np.arange(ORDER)) % ORDER
SIZES = {
    "mlp": {"embed_dim": 5, "hidden_dim": 9},
    "bilinear": {"embed_dim": 5, "hidden_dim": 9},
    "transformer": {
        **{"num_heads": 2, "d_model": 7, "d_head": 3, "d_mlp": 9},
        "init_std": 0.8 * 7**-0.5,
    },
}
OPTIMIZER = build_optimizer(PAPER)

# Losses that steps 1 to 4 saw, of the key 0. They change with the initial weights, the
# split, the optimiser or the networks, and with JAX's random bits. Update them when
# one of these was meant to change, and say so in the commit: published runs can then
# not be repeated bit for bit.
GOLDEN = {
    "mlp": (1.8062804, 1.8041161, 1.8020097, 1.7999269),
    "transformer": (1.8949424, 1.8881222, 1.8817030, 1.8756329),
}


def build(architecture: str):
    return ARCHITECTURES[architecture](order=ORDER, **SIZES[architecture])


@cache
def initialiser(architecture: str):
    return quick_jit(
        lambda key: init_run(key, build(architecture), OPTIMIZER, NUM_PAIRS)
    )


def start(architecture: str, key: int = 0) -> RunState:
    """A run at step 0."""
    return initialiser(architecture)(jax.random.key(key))


def steps_of(
    architecture: str, optimizer=OPTIMIZER, blocks=ALL_AT_ONCE, steps_a_turn=1
):
    """`train_steps` of one network, not compiled."""

    def steps(state, num_steps):
        labels = jnp.take(jnp.asarray(LABELS).ravel(), state.train_pairs, mode="clip")
        fixed = build(architecture), optimizer, labels, blocks, steps_a_turn
        return train_steps(state, num_steps, *fixed)

    return steps


@cache
def trainer(architecture: str):
    return quick_jit(steps_of(architecture))


def train(architecture: str, state: RunState, num_steps: int) -> tuple[RunState, Array]:
    return trainer(architecture)(state, jnp.int32(num_steps))


def split_of(state) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left, right = np.divmod(np.asarray(state.train_pairs), ORDER)
    return left, right, LABELS[left, right]


def test_run_starts_at_step_zero_with_its_split():
    state = start("mlp")
    assert state.step == 0
    pairs = np.asarray(state.train_pairs)
    assert len(pairs) == NUM_PAIRS
    assert (np.diff(pairs) > 0).all()


def test_split_and_weights_depend_on_the_key_alone():
    state, other = start("mlp"), start("mlp", key=1)
    np.testing.assert_array_equal(state.train_pairs, start("transformer").train_pairs)
    chex.assert_trees_all_equal(state.params, start("bilinear").params)
    assert (state.train_pairs != other.train_pairs).any()
    for old, new in zip(
        *map(jax.tree.leaves, (state.params, other.params)), strict=True
    ):
        assert (np.asarray(old) != new).all()


@pytest.mark.parametrize("architecture", SIZES)
def test_five_steps_are_float64s(architecture):
    """Against the textbook network, log-softmax and PyTorch's AdamW."""
    state = start(architecture)
    left, right, label = map(jnp.array, split_of(state))

    def loss_of(weights):
        logits = textbook.FORWARD[architecture](weights, left, right, jnp)[1]
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(label)), label])

    first = weights = textbook.in_float64(state.params["params"])
    gradients = []
    with jax.enable_x64(True):
        loss_and_gradient = quick_jit(jax.value_and_grad(loss_of))
        for _ in range(5):
            expected_loss, gradient = loss_and_gradient(weights)
            gradients.append(jax.tree.map(np.asarray, gradient))
            weights = {
                name: torch_adamw(PAPER, w, [g[name] for g in gradients])[-1]
                for name, w in first.items()
            }
    state, loss = train(architecture, state, 5)
    np.testing.assert_allclose(loss, expected_loss, rtol=2e-6)
    for name, w in state.params["params"].items():
        movement = np.asarray(w) - first[name]
        # Of 5e-3; where a gradient changes sign, AdamW magnifies its rounding.
        np.testing.assert_allclose(movement, weights[name] - first[name], atol=2e-5)


@pytest.mark.parametrize("architecture", SIZES)
def test_chunks_give_the_bits_of_one_loop(architecture):
    state = start(architecture)
    whole = train(architecture, state, 20)
    after_seven, _ = train(architecture, state, 7)
    in_chunks = train(architecture, after_seven, 13)
    chex.assert_trees_all_equal(in_chunks, whole)
    assert whole[0].step == 20


def test_chunks_of_every_length_share_one_program():
    steps = steps_of("mlp")
    compiled = quick_jit(chex.assert_max_traces(lambda state, n: steps(state, n), n=1))
    state = start("mlp")
    for num_steps in (0, 1, 5):
        state, _ = compiled(state, jnp.int32(num_steps))
    assert state.step == 6


def test_no_steps_change_nothing():
    state, _ = train("mlp", start("mlp"), 0)
    chex.assert_trees_all_equal(state, start("mlp"))


def test_network_that_says_nothing_loses_log_n():
    state = start("mlp")
    weights = state.params["params"]
    silent = weights | {"W_U": jnp.zeros_like(weights["W_U"])}
    _, loss = train("mlp", state.replace(params={"params": silent}), 1)
    np.testing.assert_allclose(loss, np.log(ORDER), rtol=2e-7)


def with_weight(state: RunState, value: float) -> RunState:
    """The run with this value as one of its output weights."""
    weights = state.params["params"]
    broken = weights | {"W_U": weights["W_U"].at[0, 0].set(value)}
    return state.replace(params={"params": broken})


@pytest.mark.parametrize("architecture", SIZES)
def test_a_run_that_diverged_is_frozen(architecture):
    state, _ = train(architecture, start(architecture), 3)
    broken = with_weight(state, np.nan)
    frozen, loss = train(architecture, broken, 5)
    assert not np.isfinite(loss)
    assert frozen.step == 3
    chex.assert_trees_all_equal(frozen.params, broken.params)


def test_divergence_in_the_middle_of_a_chunk_is_seen_at_its_step():
    """The loss overflows at the second step, after a step of length 1e38."""
    huge = build_optimizer(dataclasses.replace(PAPER, learning_rate=1e38))
    steps = quick_jit(steps_of("mlp", optimizer=huge))
    state, loss = steps(start("mlp"), jnp.int32(9))
    after_one, _ = steps(start("mlp"), jnp.int32(1))
    assert not np.isfinite(loss)
    assert state.step == 1
    chex.assert_trees_all_equal(state.params, after_one.params)


@pytest.mark.parametrize("architecture", GOLDEN)
def test_golden_losses(architecture):
    losses, state = [], start(architecture)
    for _ in range(4):
        state, loss = train(architecture, state, 1)
        losses.append(float(loss))
    np.testing.assert_allclose(losses, GOLDEN[architecture], rtol=1e-5)


@pytest.mark.parametrize("architecture", SIZES)
def test_gradient_by_lists_is_that_of_scatter_add(architecture):
    """Of every weight, to 1e-6 of its largest; the last three pairs are padding."""
    state, is_pair = start(architecture), jnp.arange(NUM_PAIRS) < NUM_PAIRS - 3
    pairs = TrainPairs(
        pair=jnp.where(is_pair, state.train_pairs, 0),
        labels=jnp.asarray(split_of(state)[2]),
        weights=jnp.where(is_pair, 1 / (NUM_PAIRS - 3), 0.0),
    )

    def gradient(params, listed):
        lists = _listed(pairs, is_pair, ORDER) if listed else None
        fixed = pairs, jnp.sum(is_pair), Blocks(listed=listed), lists
        return _loss_and_gradient(build(architecture), params, *fixed)

    both = quick_jit(lambda params: [gradient(params, way) for way in (False, True)])
    (loss, expected), (same, actual) = both(state.params)
    np.testing.assert_allclose(loss, same, rtol=1e-6)

    def check(expected, actual):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * largest)

    jax.tree.map(check, expected, actual)


@pytest.mark.parametrize("num_steps", [0, 1, 5, 6])
def test_two_steps_a_turn_are_steps(num_steps):
    state = start("mlp")
    twice = two_a_turn()(state, jnp.int32(num_steps))
    assert twice[0].step == num_steps
    chex.assert_trees_all_close(twice, train("mlp", state, num_steps), rtol=1e-5)


@cache
def two_a_turn():
    return quick_jit(steps_of("mlp", steps_a_turn=2))


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("architecture", SIZES)
def test_gpu_program_scatters_nothing(architecture, listed):
    """Atomic scatter-adds would give other bits every time."""
    steps = steps_of(architecture, blocks=Blocks(listed=listed), steps_a_turn=2)
    traced = jax.jit(steps).trace(start(architecture), jnp.int32(1))
    program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "stablehlo.while" in program
    assert "scatter" not in program


@pytest.mark.parametrize(
    ("blocks", "rest"),
    [
        (Blocks(8), 1),
        (Blocks(7), 4),
        (Blocks(5), 0),
        (Blocks(24), 1),
        (Blocks(2, segments=8), 1),
        (Blocks(5, segments=8), 0),
    ],
)
def test_blocks_of_pairs_change_nothing_but_rounding(blocks, rest):
    """25 training pairs, with a rest or without; with 5 blocks, segments of none."""
    assert 25 % blocks.size == rest
    run = start("mlp")
    whole = steps_of("mlp")(run, 10)
    in_blocks = steps_of("mlp", blocks=blocks)(run, 10)
    chex.assert_trees_all_close(whole, in_blocks, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("segments", [1, 2])
def test_padding_changes_no_bit_where_empty_blocks_are_skipped(segments):
    """Runs of one program may have other numbers of pairs; each keeps its bits."""
    blocks = Blocks(4, skip_empty=True, segments=segments)
    steps = quick_jit(steps_of("mlp", blocks=blocks))
    run = start("mlp")
    trained, loss = steps(run, 10)
    padded = np.pad(run.train_pairs, (0, 11), constant_values=ORDER**2)
    also, padded_loss = steps(run.replace(train_pairs=jnp.asarray(padded)), 10)
    assert loss == padded_loss
    chex.assert_trees_all_equal(trained.params, also.params)
