"""Neurons, one by one: the irrep and the subgroup that each responds to.

Pure neurons are what Chughtai et al. (2023) expect, neurons constant on cosets what
Stander et al. (ICML 2024) do. Every name is defined in docs/explanations.md.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis, power_by_irrep
from repjax.explanations.cosets import Cosets, variance_within
from repjax.metrics import COSET_VARIANCE, NEURON_POWER, PURE
from repjax.typing import Array, Bool, Float, Int


def describe_neurons(
    received_a: Float[Array, "group hidden"],
    received_b: Float[Array, "group hidden"],
    unembedding: Float[Array, "hidden vocab"],
    basis: Basis,
    cosets: Cosets,
) -> dict[str, Array]:
    """Return purity, cosets and multiplicities of the live neurons of one network.

    Args:
        received_a: what each neuron receives from a.
        received_b: what it receives from b.
        unembedding: from neurons to logits.
        basis: of the group.
        cosets: of its subgroups.

    Returns:
        `live`: number of neurons that receive at least `NEURON_POWER` from a; shares of
        these in [0, 1], NaN without any: `pure_a`, `pure_b`, `pure_u`, `coset_left`,
        `coset_right`; by neuron: `coset_order`, 0 for a neuron that is off; by irrep:
        `multiplicity`, the number of live neurons of which it is the best.
    """
    live = jnp.sum(received_a**2, axis=0) >= NEURON_POWER
    order_left = largest_subgroup(received_a, basis.product, cosets)
    order_right = largest_subgroup(received_b, basis.product.T, cosets)
    best = jnp.argmax(power_by_irrep(received_a, basis), axis=0)
    num_irreps = basis.member.shape[0]

    def share(of: Bool[Array, " hidden"]) -> Array:
        return jnp.sum(of & live) / jnp.sum(live)

    return {
        "live": jnp.sum(live),
        "pure_a": share(is_pure(received_a, basis)),
        "pure_b": share(is_pure(received_b, basis)),
        "pure_u": share(is_pure(unembedding.T, basis)),
        "coset_left": share(order_left > 1),
        "coset_right": share(order_right > 1),
        "coset_order": jnp.where(live, order_left, 0),
        "multiplicity": jax.ops.segment_sum(live.astype(jnp.int32), best, num_irreps),
    }


def is_pure(
    functions: Float[Array, "group hidden"], basis: Basis
) -> Bool[Array, " hidden"]:
    """Return whether one irrep, the trivial one included, has more than `PURE`."""
    power = power_by_irrep(functions, basis)
    return jnp.max(power, axis=0) > PURE * jnp.sum(power, axis=0)


def largest_subgroup(
    functions: Float[Array, "group hidden"],
    moved: Int[Array, "group group"],
    cosets: Cosets,
) -> Int[Array, " hidden"]:
    """Return the order of the largest subgroup on whose cosets each neuron is constant.

    Constant: the variance within cosets is below `COSET_VARIANCE` of the whole. 1 if
    there is no such subgroup. The arguments are those of `variance_within`.
    """
    constant = variance_within(functions, moved, cosets) < COSET_VARIANCE
    orders = jnp.where(constant, cosets.orders[:, None], 1)
    return jnp.max(orders, axis=0, initial=1)
