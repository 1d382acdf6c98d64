"""AdamW against PyTorch's, written down in NumPy and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from repjax.settings.config import OptimizerConfig
from repjax.training.optim import build_optimizer
from tests.compilation import quick_jit

PAPER = OptimizerConfig(
    learning_rate=1e-3, weight_decay=1.0, beta1=0.9, beta2=0.98, eps=1e-8
)
COARSE = OptimizerConfig(
    learning_rate=0.05, weight_decay=0.3, beta1=0.7, beta2=0.9, eps=1e-2
)
NUM_STEPS = 20


def torch_adamw(config: OptimizerConfig, start, gradients) -> np.ndarray:
    """The weights after each step of torch.optim.AdamW."""
    weights, first, second, after = np.array(start, np.float64), 0.0, 0.0, []
    for t, gradient in enumerate(np.asarray(gradients, np.float64), 1):
        weights = weights * (1 - config.learning_rate * config.weight_decay)
        first = config.beta1 * first + (1 - config.beta1) * gradient
        second = config.beta2 * second + (1 - config.beta2) * gradient**2
        denominator = np.sqrt(second / (1 - config.beta2**t)) + config.eps
        step = config.learning_rate / (1 - config.beta1**t)
        weights = weights - step * first / denominator
        after.append(weights)
    return np.stack(after)


def repjax_adamw(config: OptimizerConfig, start, gradients) -> np.ndarray:
    """The weights after each step, in float32."""
    optimizer = build_optimizer(config)

    def step(carry, gradient):
        weights, state = carry
        updates, state = optimizer.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, state), weights

    @quick_jit
    def steps(start, gradients):
        return jax.lax.scan(step, (start, optimizer.init(start)), gradients)[1]

    start, gradients = (jnp.array(x, jnp.float32) for x in (start, gradients))
    return np.asarray(steps(start, gradients))


@pytest.mark.parametrize("config", [PAPER, COARSE], ids=["paper", "coarse"])
@pytest.mark.parametrize("gradient_size", [1.0, 1e-8], ids=["large", "near eps"])
def test_twenty_steps_are_pytorchs(config, gradient_size):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 5)).astype(np.float32)
    gradients = gradient_size * (1 + rng.normal(size=(NUM_STEPS, 4, 5)))
    expected = torch_adamw(config, start, gradients)
    actual = repjax_adamw(config, start, gradients)
    # Movements, so that an error cannot hide behind the size of the weights.
    np.testing.assert_allclose(actual - start, expected - start, rtol=1e-4, atol=1e-6)


def test_eps_stands_outside_the_root():
    """A gradient of eps then moves a weight by half the learning rate.

    Inside the root, where eps 1e-8 is 1e-4 of a gradient, it would move by 1e-4 of it.
    """
    start = np.zeros(3)
    (after,) = repjax_adamw(PAPER, start, np.full((1, 3), PAPER.eps))
    np.testing.assert_allclose(after, -PAPER.learning_rate / 2, rtol=1e-4)


def test_decay_acts_on_every_weight_and_not_through_the_moments():
    """Without gradients any weight shrinks by 1 − rate·decay a step."""
    start = np.array([[1e-3, 1.0, -30.0]])
    after = repjax_adamw(COARSE, start, np.zeros((NUM_STEPS, 1, 3)))
    shrunk = (1 - COARSE.learning_rate * COARSE.weight_decay) ** NUM_STEPS
    np.testing.assert_allclose(after[-1], start * shrunk, rtol=1e-5)
