"""Cross-entropy that is exact in float32, however confident the network.

These networks end with the label 15 to 25 above the other logits, where float32
log-softmax returns multiples of 1e-7 and optax's integer cross-entropy returns 0. With
d_c = L_c − L_label and s = Σ_{c≠label} exp d_c the loss is log1p(s), the gradient at
another class exp(d_c)/(1+s), and the gradient at the label minus the sum of those: no
subtraction of nearly equal numbers anywhere.
"""

import jax
import jax.numpy as jnp

from repjax.typing import Array, Bool, Float, Int


@jax.custom_vjp
def cross_entropy(
    logits: Float[Array, "pair vocab"], labels: Int[Array, " pair"]
) -> Float[Array, " pair"]:
    """−log softmax(logits)[label] of each pair, natural log, relative error ~1e-6."""
    return _loss_and_odds(logits, labels)[0]


def _loss_and_odds(
    logits: Float[Array, "pair vocab"], labels: Int[Array, " pair"]
) -> tuple[Float[Array, " pair"], Float[Array, "pair vocab"]]:
    """Loss, and the probability of every wrong class (0 at the label)."""
    label_logit = jnp.take_along_axis(logits, labels[:, None], axis=1)
    above = jnp.where(_at_label(logits, labels), -jnp.inf, logits - label_logit)
    # The largest exponent, 0 when the label wins, keeps exp in range.
    shift = jnp.maximum(jnp.max(above, axis=1, keepdims=True), 0.0)
    odds = jnp.exp(above - shift)
    total = jnp.sum(odds, axis=1, keepdims=True)
    label_odds = jnp.exp(-shift)
    loss = jnp.where(shift > 0.0, shift + jnp.log(label_odds + total), jnp.log1p(total))
    return loss[:, 0], odds / (label_odds + total)


def _at_label(
    logits: Float[Array, "pair vocab"], labels: Int[Array, " pair"]
) -> Bool[Array, "pair vocab"]:
    return jnp.arange(logits.shape[1])[None] == labels[:, None]


def _forward(logits, labels):
    loss, wrong = _loss_and_odds(logits, labels)
    return loss, (wrong, labels)


def _backward(residuals, gradient):
    wrong, labels = residuals
    right = -jnp.sum(wrong, axis=1, keepdims=True)
    by_logit = jnp.where(_at_label(wrong, labels), right, wrong)
    return gradient[:, None] * by_logit, None


cross_entropy.defvjp(_forward, _backward)


def correct(
    logits: Float[Array, "pair vocab"], labels: Int[Array, " pair"]
) -> Bool[Array, " pair"]:
    """Whether the label has the largest logit."""
    return jnp.argmax(logits, axis=1) == labels
