"""Certified accuracy: pairs that an MLP must get right, by its idealised network.

Wu et al. (ICLR 2025), section 5. The idealised network of ρ-sets has one margin for all
pairs. A pair is certified if this margin is larger than twice a bound on |L − L_ideal|,
which comes from the weights alone. On the host, in float64; rounding is neglected.
"""

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from repjax.explanations.rho_sets import RhoSet, logits_of_sets
from repjax.groups import real_irreps
from repjax.groups.group import Group


@dataclass(frozen=True, eq=False)
class Certificate:
    """Certified accuracy of one network, and the accuracy by brute force.

    Attributes:
        accuracy: share of pairs that are certified, in [0, 1]; at most `brute_force`.
        brute_force: share of pairs for which the network's label is the largest logit.
        margin: label's logit minus the next one in the idealised network.
        bound: median over pairs of the bound on |L − L_ideal|.
        seconds: time of the certificate, without that of the fit.
        brute_force_seconds: time of running the network on all pairs.
    """

    accuracy: float
    brute_force: float
    margin: float
    bound: float
    seconds: float
    brute_force_seconds: float


def certify(
    group: Group,
    sets: tuple[RhoSet, ...],
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> Certificate:
    """Certify an MLP for the task a*b by the ρ-sets that were fitted to it.

    Args:
        group: group of the network.
        sets: its ρ-sets.
        left: A.
        right: B.
        unembedding: U.
    """
    left, right, unembedding = (
        np.asarray(x, np.float64) for x in (left, right, unembedding)
    )
    start = time.perf_counter()
    margin = ideal_margin(group, sets)
    bound = error_bound(group, sets, left, right, unembedding)
    accuracy = float(np.mean(margin > 2 * bound))
    seconds = time.perf_counter() - start
    brute_force = brute_force_accuracy(group, left, right, unembedding)
    return Certificate(
        accuracy=accuracy,
        brute_force=brute_force,
        margin=margin,
        bound=float(np.median(bound)),
        seconds=seconds,
        brute_force_seconds=time.perf_counter() - start - seconds,
    )


def certified_accuracy(
    group: Group,
    sets: tuple[RhoSet, ...],
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> float:
    """Return `accuracy` of `certify`, without the bound where the margin settles it."""
    margin = ideal_margin(group, sets)
    if margin <= 0:  # no bound is below 0
        return 0.0
    weights = (np.asarray(x, np.float64) for x in (left, right, unembedding))
    return float(np.mean(margin > 2 * error_bound(group, sets, *weights)))


def ideal_margin(group: Group, sets: tuple[RhoSet, ...]) -> float:
    """Return the label's logit less the next one in the idealised network."""
    ideal = logits_of_sets(group, sets)
    others = np.delete(ideal, group.identity)
    return float(ideal[group.identity] - others.max(initial=-np.inf))


def error_bound(
    group: Group,
    sets: tuple[RhoSet, ...],
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> Float[np.ndarray, "group group"]:
    """Return a bound on max_c |L − L_ideal| for each pair, L less its mean over c.

    ReLU(x) = (x + |x|)/2 splits the logits. The linear half is a table of a plus one of
    b, exactly, and 0 in the idealised network. In the other half, with x = A[a] + B[b],
    A' and B' the neurons' places in their ρ-sets, and ΔA = A − A', ΔB = B − B',

        |Σ_j U_j|x_j| − Σ_j U_j|x'_j|| <= min(Σ_j |U_j|·(|ΔA_j| + |ΔB_j|), ‖U‖·‖Δx‖),

    ‖U‖ being the spectral norm of U. What remains is a sum over the pairs (b, b') of a
    set, of |aᵀρ(x⁻¹)b − aᵀρ(y)b'| times ΔU_bb', the sum of α_j·U_j of the pair's
    neurons minus the U of the idealised one: at most Σ |ΔU|·(|aᵀρ(x⁻¹)b| + |aᵀρ(y)b'|).
    """
    centred = unembedding - unembedding.mean(axis=1, keepdims=True)
    ideal_left, ideal_right = np.zeros_like(left), np.zeros_like(right)
    of_left, of_right = (np.zeros((group.order, group.order)) for _ in range(2))
    for found in sets:
        along_left, along_right = _along(group, found)
        sign = np.where(found.neurons.a @ found.direction >= 0, 1.0, -1.0)
        scale, index = sign * found.neurons.alpha, found.neurons.index
        ideal_left[:, index] = scale * along_left[:, found.left]
        ideal_right[:, index] = -scale * along_right[:, found.right]
        error = np.abs(_unembedding_error(group, found, centred))
        of_left += np.abs(along_left) @ error.sum(axis=1)
        of_right += np.abs(along_right) @ error.sum(axis=0)
    delta_left, delta_right = left - ideal_left, right - ideal_right
    linear_left, linear_right = left @ centred, right @ centred
    entrywise_left, entrywise_right = (
        np.abs(delta) @ np.abs(centred) for delta in (delta_left, delta_right)
    )
    spectral = _spectral_bound(delta_left, delta_right, centred)
    bound = np.empty((group.order, group.order))
    for a in range(group.order):
        inputs = np.minimum(entrywise_left[a] + entrywise_right, spectral[a][:, None])
        linear = np.abs(linear_left[a] + linear_right)
        bound[a] = (linear + inputs + of_left[a] + of_right).max(axis=1) / 2
    return bound


def brute_force_accuracy(
    group: Group,
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> float:
    """Return the share of pairs whose label ab has the largest logit, in float32."""
    left, right, unembedding = (
        x.astype(np.float32) for x in (left, right, unembedding)
    )
    correct = [
        (np.maximum(left[a] + right, 0) @ unembedding).argmax(axis=1) == group.table[a]
        for a in range(group.order)
    ]
    return float(np.mean(correct))


def _along(group: Group, found: RhoSet) -> tuple[np.ndarray, np.ndarray]:
    """Return bᵀρ(x)a and aᵀρ(x)b for all x and b, both group × vector."""
    matrices = real_irreps(group)[found.irrep].matrices
    left = (matrices @ found.direction) @ found.vectors.T
    right = (np.swapaxes(matrices, 1, 2) @ found.direction) @ found.vectors.T
    return left, right


def _unembedding_error(
    group: Group, found: RhoSet, centred: Float[np.ndarray, "hidden group"]
) -> Float[np.ndarray, "vector vector group"]:
    """ΔU of each pair (b, b').

    The neurons of (b, b') and (−b, −b') have the same |x|: they share what they have.
    """
    matrices, vectors = real_irreps(group)[found.irrep].matrices, found.vectors
    error = found.kappa * np.einsum(
        "vi,gij,wj->vwg", vectors, matrices, vectors, optimize=True
    )
    written = found.neurons.alpha[:, None] * centred[found.neurons.index]
    if found.opposite is None:
        np.add.at(error, (found.left, found.right), written)
    else:
        opposite = found.opposite
        np.add.at(error, (found.left, found.right), written / 2)
        np.add.at(error, (opposite[found.left], opposite[found.right]), written / 2)
    return error


def _spectral_bound(
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> Float[np.ndarray, "group group"]:
    """Return ‖U‖·‖A[a] + B[b]‖ of each pair, with neurons scaled to make it small.

    Scaling a neuron's input by w and its output by 1/w changes no logit.
    """
    inputs = np.sqrt((left**2).mean(axis=0) + (right**2).mean(axis=0))
    outputs = np.linalg.norm(unembedding, axis=1)
    used = (inputs > 0) & (outputs > 0)
    if not used.any():
        return np.zeros((len(left), len(right)))
    weight = np.sqrt(outputs[used] / inputs[used])
    left, right = left[:, used] * weight, right[:, used] * weight
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    norm = np.linalg.norm(unembedding[used] / weight[:, None], 2)
    return norm * np.sqrt(np.maximum(squared + 2 * left @ right.T, 0))
