"""The complex character table of a finite group, from its class algebra."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Int

from repjax.groups.group import Group

MAX_ATTEMPTS = 8
# Gap between eigenvalues of a random class function, relative to the largest.
DISTINCT_EIGENVALUES = 1e-9


@dataclass(frozen=True, eq=False)
class CharacterTable:
    """The irreducible complex characters, by degree, the trivial one first.

    Attributes:
        values: χ(g) of each character on each class, classes as `Group.classes`
            numbers them; real and imaginary parts that round to integers are exact.
        degrees: χ(1).
        indicators: Frobenius-Schur: 1 real, 0 complex, -1 quaternionic.
    """

    values: Complex[np.ndarray, "character class"]
    degrees: Int[np.ndarray, " character"]
    indicators: Int[np.ndarray, " character"]


def character_table(group: Group) -> CharacterTable:
    """Return the complex character table.

    The class sums commute, so a random self-adjoint combination of them, acting on the
    centre of the group algebra, has the irreducible characters as eigenvectors
    (Burnside 1911, section 223; Dixon 1967).

    Raises:
        RuntimeError: no random combination told all characters apart.
    """
    for attempt in range(MAX_ATTEMPTS):
        values, vectors = np.linalg.eigh(_random_class_sum(group, attempt))
        gaps = np.diff(values) / max(np.abs(values).max(), 1e-300)
        if (gaps > DISTINCT_EIGENVALUES).all():
            return _from_eigenvectors(group, vectors)
    raise RuntimeError(f"'{group.name}': {MAX_ATTEMPTS} random elements gave no table")


def _random_class_sum(group: Group, seed: int) -> Complex[np.ndarray, "class class"]:
    """Return multiplication by Σ_c r_c Σ_{x in c} x in the orthonormal class basis.

    Self-adjoint, since r of the inverse class is the conjugate of r.
    """
    classes, sizes = group.classes, group.class_sizes
    inverse_class = classes[group.inverse[group.class_representatives]]
    rng = np.random.default_rng(seed)
    r = rng.normal(size=len(sizes)) + 1j * rng.normal(size=len(sizes))
    r = (r + r[inverse_class].conj()) / 2
    columns = []
    for z in group.class_representatives:  # Σ over x y = z of r(x), by the class of y
        weights, y = r[classes], classes[group.table[group.inverse, z]]
        columns.append(
            np.bincount(y, weights.real, len(sizes))
            + 1j * np.bincount(y, weights.imag, len(sizes))
        )
    matrix = np.array(columns)  # [z, y]
    root = np.sqrt(sizes)
    matrix = matrix * root[:, None] / root
    return (matrix + matrix.conj().T) / 2


def _from_eigenvectors(
    group: Group, vectors: Complex[np.ndarray, "class character"]
) -> CharacterTable:
    """Scale eigenvectors, √|c|·χ(c) up to a factor, to characters; sort them."""
    chi = (vectors / np.sqrt(group.class_sizes)[:, None]).T
    chi = chi / chi[:, :1]  # χ(g)/χ(1): class 0 is that of the identity
    norms = (np.abs(chi) ** 2 @ group.class_sizes) / group.order
    degrees = np.rint(1 / np.sqrt(norms)).astype(int)
    values = chi * degrees[:, None]
    values = _exact(values.real) + 1j * _exact(values.imag)
    squares = group.classes[group.table.diagonal()]
    indicators = np.rint(values[:, squares].real.mean(axis=1)).astype(int)
    rounded = np.round(np.stack([-values.real, -values.imag], axis=2), 6)
    order = sorted(
        range(len(values)), key=lambda k: (degrees[k], rounded[k].ravel().tolist())
    )
    return CharacterTable(values[order], degrees[order], indicators[order])


def _exact(values: np.ndarray) -> np.ndarray:
    nearest = np.rint(values)
    return np.where(np.abs(values - nearest) < 1e-9, nearest, values)
