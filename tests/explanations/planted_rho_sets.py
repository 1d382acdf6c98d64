"""MLPs built by hand from ρ-sets: a neuron for every pair, entry by entry."""

import numpy as np

from repjax.groups import Group, Irrep, real_irreps
from repjax.groups.subgroups import subgroups

# Group, irrep, order of the stabiliser of a vector, size of the ρ-set.
CASES = [
    ("S4", "standard", 6, 4),
    ("S5", "standard", 24, 5),
    ("A5", "3d_a", 5, 12),
    ("A5", "standard", 12, 5),
]


def irrep_of(group: Group, name: str) -> tuple[int, Irrep]:
    """Index and irrep of this name."""
    irreps = real_irreps(group)
    k = [irrep.name for irrep in irreps].index(name)
    return k, irreps[k]


def rho_set(group: Group, irrep: Irrep, stabiliser_order: int) -> np.ndarray:
    """The distinct images of a vector that a subgroup of this order fixes."""
    found = subgroups(group)
    for k in np.flatnonzero(found.orders == stabiliser_order):
        fixed = irrep.matrices[found.members[k]].mean(axis=0)
        if round(np.trace(fixed)) == 1:
            vector = np.linalg.svd(fixed)[0][:, 0]
            images = np.einsum("gij,j->gi", irrep.matrices, vector)
            return np.unique(images.round(9), axis=0)
    raise ValueError("no such subgroup fixes a line")


def network(irrep: Irrep, vectors: np.ndarray, direction: np.ndarray, kappa: float):
    """A, B and U of the pairs of a ρ-set, from the formulas of Wu et al."""
    left, right, above = [], [], []
    for b in vectors:
        for b_prime in vectors:
            left.append([b @ rho @ direction for rho in irrep.matrices])
            right.append([-direction @ rho @ b_prime for rho in irrep.matrices])
            above.append([-kappa * b @ rho @ b_prime for rho in irrep.matrices])
    return np.array(left).T, np.array(right).T, np.array(above)


def disguise(weights, seed: int = 0):
    """The same function: each neuron in two parts, rescaled, in random order.

    Inputs are scaled to norms of 3 to 30, so that all neurons are live.
    """
    rng = np.random.default_rng(seed)
    left, right, above = weights
    width = left.shape[1]
    part = rng.uniform(0.2, 0.8, width)
    scale = rng.uniform(3, 30, 2 * width)
    scale /= np.tile(np.linalg.norm(left, axis=0), 2)
    order = rng.permutation(2 * width)
    above = np.vstack([part[:, None] * above, (1 - part)[:, None] * above])
    return (
        (np.hstack([left, left]) * scale)[:, order],
        (np.hstack([right, right]) * scale)[:, order],
        (above / scale[:, None])[order],
    )


def logits(weights) -> np.ndarray:
    """Logits of all pairs, less their mean over c: (a, b, c)."""
    left, right, above = weights
    raw = np.maximum(left[:, None] + right[None], 0) @ above
    return raw - raw.mean(axis=2, keepdims=True)


def spread(group: Group, function: np.ndarray) -> np.ndarray:
    """function(a⁻¹·c·b⁻¹) of all triples (a, b, c)."""
    table, inverse = group.table, group.inverse
    every = np.arange(group.order)
    between = table[inverse[:, None], every]  # a⁻¹c
    return function[table[between[:, None, :], inverse[None, :, None]]]
