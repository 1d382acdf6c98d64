"""All real irreps of a finite group, as orthogonal matrices."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from repjax.groups.group import Group
from repjax.groups.irrep_names import order_and_name
from repjax.groups.representations import (
    Matrices,
    MatricesOfAnyDim,
    compute_character,
    extend_to_group,
    frobenius_schur,
    homomorphism_error,
)
from repjax.groups.young import young_orthogonal_form

HOMOMORPHISM_TOLERANCE = 1e-10
# Gap between eigenvalues of the random element, relative to the largest. Round-off
# splits equal ones by at most 1.4e-14 (C1000); others are 1e-4 apart in A6 and 2e-6 in
# C1000. A wrong decision gives irreps that are not exact or not complete.
DISTINCT_EIGENVALUES = 1e-11
MAX_ATTEMPTS = 8

IrrepType = Literal["real", "complex", "quaternionic"]
TYPE_OF_INDICATOR: dict[int, IrrepType] = {1: "real", 0: "complex", -2: "quaternionic"}
ENDOMORPHISM_DIM = {"real": 1, "complex": 2, "quaternionic": 4}


@dataclass(frozen=True, eq=False)
class Irrep:
    """A real irreducible representation.

    Attributes:
        name: "trivial", "freq_3", "5d_a", …
        matrices: real orthogonal, matrices[a] @ matrices[b] = matrices[ab].
        type: the algebra of its endomorphisms, by Frobenius and Schur.
    """

    name: str
    matrices: Matrices
    type: IrrepType

    def __post_init__(self) -> None:
        """Protects the matrices: irreps are cached and shared."""
        self.matrices.flags.writeable = False

    @property
    def dim(self) -> int:
        """Real dimension d."""
        return self.matrices.shape[1]

    @property
    def num_functions(self) -> int:
        """Dimension of the span of the entries ρ_ij in R^G (the isotypic subspace)."""
        return self.dim**2 // ENDOMORPHISM_DIM[self.type]

    @cached_property
    def character(self) -> Float[np.ndarray, " group"]:
        """Trace of each matrix; exactly an integer where it rounds to one."""
        character = compute_character(self.matrices)
        nearest = np.rint(character)
        is_whole = np.abs(character - nearest) < HOMOMORPHISM_TOLERANCE
        return np.where(is_whole, nearest, character)


@lru_cache(maxsize=32)
def real_irreps(group: Group) -> tuple[Irrep, ...]:
    """All real irreps, "trivial" first; order, names and characters are canonical.

    S_n comes in Young's orthogonal form; other groups in a basis that depends on the
    linear algebra library, so that only what is free of a basis is comparable there.
    """
    if group.family and group.family[0] == "S":
        forms = young_orthogonal_form(group).items()
        return tuple(Irrep(name, matrices, "real") for name, matrices in forms)
    irreps = _decompose_regular(group)
    characters = np.stack([compute_character(matrices) for matrices in irreps])
    return tuple(
        Irrep(name, irreps[k], TYPE_OF_INDICATOR[frobenius_schur(group, characters[k])])
        for k, name in order_and_name(group, characters)
    )


def _decompose_regular(group: Group) -> list[MatricesOfAnyDim]:
    """One copy of every real irrep, from the regular representation.

    Right multiplication by a random self-adjoint element of R[G] commutes with left
    translation, and its eigenspaces are, with probability 1, simple modules.

    Raises:
        RuntimeError: no attempt gave irreps that are exact and complete.
    """
    for attempt in range(MAX_ATTEMPTS):
        element = np.random.default_rng(attempt).normal(size=group.order)
        element += element[group.inverse]
        values, vectors = np.linalg.eigh(element[group.table[group.inverse]])
        gaps = np.diff(values) / np.abs(values).max()
        starts = np.flatnonzero(np.append(True, gaps > DISTINCT_EIGENVALUES))
        irreps = [
            _restrict_translation(group, basis)
            for basis in _distinct_eigenspaces(group, vectors, starts)
        ]
        if _is_complete(group, irreps):
            return irreps
    raise RuntimeError(f"'{group.name}': {MAX_ATTEMPTS} random elements gave no irreps")


def _distinct_eigenspaces(
    group: Group,
    vectors: Float[np.ndarray, "group group"],
    starts: Int[np.ndarray, " eigenspace"],
) -> list[Float[np.ndarray, "group _"]]:
    """Orthonormal bases of one eigenspace of each isomorphism type.

    The projection P onto an eigenspace commutes with left translation; its character
    at g is therefore n times the mean of P[·, e] over the conjugacy class of g.
    """
    projected = np.add.reduceat(vectors * vectors[group.identity], starts, axis=1)
    class_sums = np.zeros((len(group.class_sizes), len(starts)))
    np.add.at(class_sums, group.classes, projected)
    characters = group.order * class_sums / group.class_sizes[:, None]
    # Σχχ'/n is 1, 2 or 4 for isomorphic eigenspaces and 0 for others
    products = class_sums.T @ characters
    firsts = np.unique((products > 0.5).argmax(axis=1))
    bases = np.split(vectors, starts[1:], axis=1)
    return [bases[first] for first in firsts]


def _restrict_translation(
    group: Group, basis: Float[np.ndarray, "group dim"]
) -> Matrices:
    """Left translation on an invariant subspace; its error is of second order.

    What the basis has of other eigenspaces enters squared, as these are invariant too.
    """
    matrices = extend_to_group(
        group, {s: basis[group.table[s]].T @ basis for s in group.generators}
    )
    # Real numbers of finite order are 1 and -1.
    return np.rint(matrices) if matrices.shape[1] == 1 else matrices


def _is_complete(group: Group, irreps: list[MatricesOfAnyDim]) -> bool:
    """Return whether these are representations with entries that span R^G.

    A sum of irreps taken for one fails here: its dimension is too large for its type.
    """
    num_functions = 0
    for matrices in irreps:
        indicator = frobenius_schur(group, compute_character(matrices))
        if indicator not in TYPE_OF_INDICATOR:
            return False
        num_functions += Irrep("", matrices, TYPE_OF_INDICATOR[indicator]).num_functions
    return num_functions == group.order and all(
        homomorphism_error(group, matrices) <= HOMOMORPHISM_TOLERANCE
        for matrices in irreps
    )
