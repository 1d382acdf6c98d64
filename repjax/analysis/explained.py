"""Shares of the logits that rival explanations allow: class functions, bi-equivariance.

Chughtai et al. 2023 explain logits by characters, thus by class functions of (ab)⁻¹c;
Wu et al. (ICLR 2025) by functions of a⁻¹·c·b⁻¹. Defined in docs/explanations.md.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.analysis.passes import PairSums
from repjax.typing import Array, Float


def explained_shares(sums: PairSums, basis: Basis) -> dict[str, Array]:
    """Return the metrics `repjax.metrics.EXPLAINED` of one network.

    Shares of ‖L~‖² are in [0, 1]: of a projection, the squared norm of the means of L~
    over the triples (a, b, c) that the functions do not tell apart.
    """
    order = basis.labels.shape[0]
    centred = sums.logits_ab - jnp.mean(sums.logits_ab, axis=1, keepdims=True)
    by_label = jnp.sum(centred**2, axis=1) / jnp.maximum(sums.count, 1.0)
    # Over all triples with label·c⁻¹ in a class; that of (label)⁻¹c is its inverse.
    by_quotient = jnp.sum(jnp.take_along_axis(centred, basis.product, axis=0), axis=1)
    by_class = jax.ops.segment_sum(by_quotient, basis.class_of, order)
    sizes = jax.ops.segment_sum(jnp.ones(order), basis.class_of, order)
    of_classes = by_class**2 / jnp.maximum(sizes, 1.0) / order**2
    shares = {
        "fve_class": jnp.sum(of_classes),
        "fve_ab": jnp.sum(by_label),
        "fve_equivariant": jnp.sum((sums.equivariant / order) ** 2),
    }
    return {
        name: jnp.minimum(power / sums.logits_power, 1.0)
        for name, power in shares.items()
    } | {"equivariance_spread": equivariance_spread(sums, basis)}


def equivariance_spread(sums: PairSums, basis: Basis) -> Float[Array, ""]:
    """Return the mean over labels z of std/|mean| of L[a, b, z] over their pairs.

    Wu et al. 2025: 0 if the logit of the label is the same for all pairs. Not below 0.
    """
    order = basis.labels.shape[0]
    label, has_pairs = basis.labels.reshape(-1), sums.count > 0

    def mean_by_label(values):
        return jax.ops.segment_sum(values, label, order) / jnp.maximum(sums.count, 1.0)

    logit = sums.label_logit.reshape(-1)
    mean = mean_by_label(logit)
    std = jnp.sqrt(mean_by_label((logit - mean[label]) ** 2))
    ratio = std / jnp.where(has_pairs, jnp.abs(mean), 1.0)
    return jnp.sum(jnp.where(has_pairs, ratio, 0.0)) / jnp.sum(has_pairs)
