"""Real representations of a finite group, as one orthogonal matrix per element."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from repjax.groups.group import Group

Matrices = Float[np.ndarray, "group dim dim"]
MatricesOfAnyDim = Float[np.ndarray, "group _ _"]  # in collections: dims differ


def extend_to_group(
    group: Group, images: Mapping[int, Float[np.ndarray, "dim dim"]]
) -> Matrices:
    """The representation with these images of `group.generators`.

    The error of an image grows with the number of generators in its word: it is about
    1e-15 per letter, 2e-13 in all for C118.
    """
    dim = len(next(iter(images.values()))) if images else 1
    matrices = np.empty((group.order, dim, dim))
    matrices[group.identity] = np.eye(dim)
    for generator, image in images.items():
        matrices[generator] = image
    for product, left, right in group.factorisations:
        matrices[product] = matrices[left] @ matrices[right]
    return matrices


def compute_character(matrices: Matrices) -> Float[np.ndarray, " group"]:
    """χ(g), the trace of each matrix."""
    return np.trace(matrices, axis1=1, axis2=2)


def homomorphism_error(group: Group, matrices: Matrices) -> float:
    """Largest entry of |ρ(s)ρ(g) - ρ(sg)| over generators s and all g.

    It bounds, up to the length of words, the same error over all pairs.
    """
    errors = [
        np.abs(matrices[s] @ matrices - matrices[group.table[s]]).max()
        for s in group.generators
    ]
    return float(max(errors, default=0.0))


def frobenius_schur(group: Group, character: Float[np.ndarray, " group"]) -> int:
    """Σχ(g²)/n: 1, 0 or -2 for a real irrep of real, complex or quaternionic type."""
    return round(float(character[group.table.diagonal()].mean()))
