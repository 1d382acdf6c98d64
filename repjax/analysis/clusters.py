"""Clusters of hidden neurons by the irrep that they respond to.

Chughtai et al. 2023, section 5.3: neurons fall into clusters, one for each key irrep,
and a neuron of the cluster of ρ receives ρ(a) and ρ(b) and contributes to ρ(ab).
"""

import jax.numpy as jnp

from repjax.analysis.basis import Basis, power_by_irrep
from repjax.analysis.passes import PairSums
from repjax.metrics import NEURON_POWER
from repjax.typing import Array, Bool, Float


def neuron_clusters(
    left: Float[Array, "group hidden"],
    right: Float[Array, "group hidden"],
    sums: PairSums,
    basis: Basis,
) -> dict[str, Array]:
    """Count the neurons in each irrep's cluster, and how much of h~ it explains there.

    Args:
        left: what each neuron receives from a.
        right: what it receives from b; used only to count disagreements.
        sums: the first pass over pairs.
        basis: of the group.

    Returns:
        By irrep: `cluster_neurons`, a count; `cluster_a`, `cluster_b`, `cluster_ab`,
        shares in [0, 1] of Σ‖h~‖² over the cluster, 0 for a cluster without neurons.
        `neurons_off`: number of neurons that receive next to nothing from a.
        `neurons_disagreeing`: number that `left` and `right` assign differently.
    """
    is_off, in_cluster = assign_neurons(left, basis)
    off_by_right, cluster_by_right = assign_neurons(right, basis)
    disagreeing = (is_off != off_by_right) | jnp.any(
        in_cluster != cluster_by_right, axis=0
    )
    total = in_cluster @ sums.hidden_power
    order = basis.labels.shape[0]

    def share(mean):
        power = order * power_by_irrep(mean - sums.hidden_mean, basis)
        explained = jnp.sum(in_cluster * power, axis=1)
        return jnp.where(total > 0, explained / jnp.where(total > 0, total, 1.0), 0.0)

    return {
        "cluster_neurons": jnp.sum(in_cluster, axis=1, dtype=jnp.float32),
        "cluster_a": share(sums.hidden_a),
        "cluster_b": share(sums.hidden_b),
        "cluster_ab": share(sums.hidden_ab),
        "neurons_off": jnp.sum(is_off, dtype=jnp.float32),
        "neurons_disagreeing": jnp.sum(disagreeing, dtype=jnp.float32),
    }


def assign_neurons(
    received: Float[Array, "group hidden"], basis: Basis
) -> tuple[Bool[Array, " hidden"], Bool[Array, "irrep hidden"]]:
    """Return whether each neuron is off, and in the cluster of each irrep."""
    is_off = jnp.sum(received**2, axis=0) < NEURON_POWER
    return is_off, power_by_irrep(received, basis) > NEURON_POWER
