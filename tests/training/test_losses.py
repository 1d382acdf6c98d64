"""Cross-entropy against 50 digits of mpmath."""

from itertools import product

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from repjax.training.losses import correct, cross_entropy
from tests.compilation import quick_jit

NUM_CLASSES = 7
MARGINS = (-30, -20, -10, -3, -1e-3, 0, 1e-3, 1, 3, 10, 17, 20, 25, 30, 40, 60)
# A float32 difference of 60 is off by up to 2e-6, and so is its exponential.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-37}


def rivals(kind: str, rng: np.random.Generator) -> np.ndarray:
    """The wrong logits relative to the largest of them."""
    below = {
        "alone": np.full(NUM_CLASSES - 1, 45.0),
        "equal": np.zeros(NUM_CLASSES - 1),
        "nearly equal": 1e-3 * rng.uniform(size=NUM_CLASSES - 1),
        "spread": rng.exponential(5, size=NUM_CLASSES - 1),
    }[kind]
    below[0] = 0
    return -rng.permutation(below)


def examples(offset: float) -> tuple[jax.Array, jax.Array]:
    """Float32 logits and labels for every margin and kind of rivals."""
    rng = np.random.default_rng(0)
    logits, labels = [], []
    for margin, kind in product(MARGINS, ("alone", "equal", "nearly equal", "spread")):
        label = int(rng.integers(NUM_CLASSES))
        logits.append(np.insert(rivals(kind, rng), label, margin) + offset)
        labels.append(label)
    return jnp.array(logits, jnp.float32), jnp.array(labels, jnp.int32)


def exact(logits: jax.Array, labels: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient of each row from 50 digits, rounded to float64."""
    losses, gradients = [], []
    with mpmath.workdps(50):
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            powers = [mpmath.exp(mpmath.mpf(x)) for x in row]
            total = mpmath.fsum(powers)
            losses.append(float(mpmath.log(total / powers[label])))
            wrong = mpmath.fsum(powers[:label] + powers[label + 1 :])
            gradient = [float(power / total) for power in powers]
            gradient[label] = float(-wrong / total)
            gradients.append(gradient)
    return np.array(losses), np.array(gradients)


def weighted_loss(logits, labels, weights):
    return jnp.sum(weights * cross_entropy(logits, labels))


def in_rows(logits, labels):
    """Loss and gradient with a row of logits for each pair."""
    ones = jnp.ones(len(labels))
    return cross_entropy(logits, labels), jax.grad(weighted_loss)(logits, labels, ones)


def in_columns(logits, labels):
    """The same with a column for each pair, as in training."""
    loss, pull_back = jax.vjp(lambda x: cross_entropy(x, labels, 0), logits.T)
    (gradient,) = pull_back(jnp.ones(len(labels)))
    return loss, gradient.T


compiled = jax.jit(in_rows)


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("layout", [in_rows, in_columns])
def test_loss_and_gradient_are_exact_at_every_margin(layout, offset):
    logits, labels = examples(offset)
    actual = jax.jit(layout)(logits, labels)
    assert all(x.dtype == jnp.float32 for x in actual)
    for x, expected in zip(actual, exact(logits, labels), strict=True):
        np.testing.assert_allclose(x, expected, **TOLERANCE)


def test_rows_of_a_gradient_sum_to_zero():
    gradient = np.asarray(compiled(*examples(0.0))[1], np.float64)
    largest = np.abs(gradient).max(axis=1)
    assert (largest > 0).all()
    assert (np.abs(gradient.sum(axis=1)) <= 1e-6 * largest).all()


def test_gradient_is_that_of_log_softmax_in_float64():
    rng = np.random.default_rng(1)
    logits = jnp.array(rng.normal(scale=3, size=(20, NUM_CLASSES)), jnp.float32)
    labels = jnp.array(rng.integers(NUM_CLASSES, size=20), jnp.int32)
    weights = jnp.array(rng.normal(size=20), jnp.float32)

    def textbook(x):
        return -jnp.sum(weights * jax.nn.log_softmax(x)[jnp.arange(20), labels])

    with jax.enable_x64(True):
        expected = quick_jit(jax.grad(textbook))(logits.astype(jnp.float64))
        assert expected.dtype == jnp.float64
    actual = quick_jit(jax.grad(weighted_loss))(logits, labels, weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


def test_logits_far_apart_do_not_overflow():
    logits = jnp.array(np.full((3, 4), -1e3, np.float32)).at[:, 1].set(1e3)
    loss, gradient = quick_jit(in_rows)(logits, jnp.array([1, 0, 2]))
    np.testing.assert_array_equal(loss, [0, 2000, 2000])
    expected = [[0, 0, 0, 0], [-1, 1, 0, 0], [0, 1, -1, 0]]
    np.testing.assert_array_equal(gradient, expected)


def test_vmap_over_runs_changes_nothing():
    pairs = examples(0.0)
    by_run = [jnp.reshape(x, (4, 16, *x.shape[1:])) for x in pairs]
    actual = quick_jit(jax.vmap(in_rows))(*by_run)
    for x, expected in zip(actual, compiled(*pairs), strict=True):
        np.testing.assert_allclose(
            np.reshape(x, expected.shape), expected, rtol=2e-6, atol=1e-37
        )


def test_correct_is_where_the_label_wins():
    logits = jnp.array([[0, 2, 1], [0, 2, 1], [-5, -9, -4]], jnp.float32)
    labels = jnp.array([1, 2, 2], jnp.int32)
    np.testing.assert_array_equal(correct(logits, labels), [True, False, True])
