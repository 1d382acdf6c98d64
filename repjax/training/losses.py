"""Cross-entropy that is exact in float32, however confident the network is.

These networks end with the label 15 to 25 above the other logits, where float32
log-softmax returns multiples of 1e-7 and optax's integer cross-entropy returns 0. With
d_c = L_c − L_label and s = Σ_{c≠label} exp d_c the loss is log1p(s), the gradient at
another class exp(d_c)/(1+s), and the gradient at the label minus the sum of those: no
subtraction of nearly equal numbers anywhere.
"""

from functools import partial

import jax
import jax.numpy as jnp

from repjax.typing import Array, Bool, Float, Int


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def cross_entropy(
    logits: Float[Array, "..."], labels: Int[Array, " pair"], axis: int = 1
) -> Float[Array, " pair"]:
    """Return −log softmax(logits)[label] of each pair, in nats, relative error ~1e-6.

    Args:
        logits: pair × vocab, or vocab × pair.
        labels: class of each pair.
        axis: axis of the classes: 1 or 0.
    """
    return _forward(logits, labels, axis)[0]


def _forward(
    logits: Float[Array, "..."], labels: Int[Array, " pair"], axis: int
) -> tuple[Float[Array, " pair"], tuple[Array, Array, Array]]:
    """Return the loss; and wrong-class probabilities, their sums, and the labels."""
    at_label = _at_label(logits, labels, axis)
    label_logit = jnp.take_along_axis(logits, jnp.expand_dims(labels, axis), axis)
    above = jnp.where(at_label, -jnp.inf, logits - label_logit)
    # The largest exponent, 0 when the label wins, keeps exp in range.
    shift = jnp.maximum(jnp.max(above, axis, keepdims=True), 0.0)
    odds = jnp.exp(above - shift)
    total = jnp.sum(odds, axis, keepdims=True)
    label_odds = jnp.exp(-shift)
    loss = jnp.where(shift > 0.0, shift + jnp.log(label_odds + total), jnp.log1p(total))
    # One division per pair instead of one per class.
    scale = 1.0 / (label_odds + total)
    return jnp.squeeze(loss, axis), (odds * scale, total * scale, labels)


def _at_label(
    logits: Float[Array, "..."], labels: Int[Array, " pair"], axis: int
) -> Bool[Array, "..."]:
    classes = jnp.arange(logits.shape[axis])
    return jnp.expand_dims(classes, 1 - axis) == jnp.expand_dims(labels, axis)


def _backward(axis, residuals, gradient):
    wrong, any_wrong, labels = residuals
    by_logit = jnp.where(_at_label(wrong, labels, axis), -any_wrong, wrong)
    return jnp.expand_dims(gradient, axis) * by_logit, None


cross_entropy.defvjp(_forward, _backward)


def correct(
    logits: Float[Array, "pair vocab"], labels: Int[Array, " pair"]
) -> Bool[Array, " pair"]:
    """Return whether the label has the largest logit."""
    return jnp.argmax(logits, axis=1) == labels
