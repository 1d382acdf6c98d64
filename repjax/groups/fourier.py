"""The real Fourier matrix of a finite group."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from repjax.groups.group import Group
from repjax.groups.irreps import Irrep, real_irreps


@dataclass(frozen=True, eq=False)
class Fourier:
    """An orthonormal basis of R^G, split into the real isotypic subspaces.

    Attributes:
        matrix: orthogonal; its columns are grouped by irrep, as `real_irreps` orders
            them, and span the functions g -> ρ(g)_ij.
        irrep_of_column: index of the irrep of each column.
        characters: χ_ρ(g).
        names: of the irreps.
    """

    matrix: Float[np.ndarray, "group group"]
    irrep_of_column: Int[np.ndarray, " group"]
    characters: Float[np.ndarray, "irrep group"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Protects the arrays: they are cached and shared."""
        for array in (self.matrix, self.irrep_of_column, self.characters):
            array.flags.writeable = False


@lru_cache(maxsize=32)
def build_fourier(group: Group) -> Fourier:
    """The Fourier matrix of a group."""
    irreps = real_irreps(group)
    sizes = [irrep.num_functions for irrep in irreps]
    matrix = np.empty((group.order, group.order))
    blocks = np.split(matrix, np.cumsum(sizes)[:-1], axis=1)
    for block, irrep in zip(blocks, irreps, strict=True):
        block[:] = _isotypic_basis(irrep)
    return Fourier(
        matrix=matrix,
        irrep_of_column=np.repeat(np.arange(len(irreps), dtype=np.int32), sizes),
        characters=np.stack([irrep.character for irrep in irreps]),
        names=tuple(irrep.name for irrep in irreps),
    )


def _isotypic_basis(irrep: Irrep) -> Float[np.ndarray, "group functions"]:
    """Orthonormal functions with the span of the matrix entries ρ_ij.

    The d² entries are orthogonal for real type only (Schur); for complex and
    quaternionic type they are linearly dependent and span d²/2 and d²/4 dimensions.
    """
    entries = irrep.matrices.reshape(-1, irrep.dim**2)
    if irrep.type == "real":
        return entries * np.sqrt(irrep.dim / len(entries))
    return np.linalg.svd(entries, full_matrices=False)[0][:, : irrep.num_functions]
