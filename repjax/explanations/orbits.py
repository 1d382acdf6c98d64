"""Orbits of vectors under an irrep: the ρ-sets that neurons may use.

Wu et al. (ICLR 2025), section 4: a ρ-set is a finite set of vectors that is closed
under ρ(G). On the host, in float64.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from repjax.explanations.rank_one import RankOneNeurons
from repjax.groups import Irrep
from repjax.groups.group import Group
from repjax.groups.subgroups import Subgroups, left_cosets

CLOSE = 0.98
"""A vector is near another if their squared cosine is above this: within 8°."""

_EQUAL = 1 - 1e-9
"""Cosine of vectors that are equal up to rounding."""


@dataclass(frozen=True, eq=False)
class Orbit:
    """Unit vectors closed under ρ(G): an orbit, or an orbit and its negatives.

    Attributes:
        vectors: the ρ-set B.
        movers: an element g for each vector, ρ(g)v = ±vector, v being the first.
        stabiliser: projection onto the vectors that the stabiliser of v fixes.
    """

    vectors: Float[np.ndarray, "vector dim"]
    movers: Int[np.ndarray, " vector"]
    stabiliser: Float[np.ndarray, "dim dim"]

    @property
    def size(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    def contains(self, vector: Float[np.ndarray, " dim"]) -> bool:
        """Return whether a unit vector is in the set, up to rounding."""
        return bool((self.vectors @ vector).max() > _EQUAL)


def build_orbit(group: Group, irrep: Irrep, vector: Float[np.ndarray, " dim"]) -> Orbit:
    """Return the orbit of a unit vector under ρ(G)."""
    images = irrep.matrices @ vector
    fixes = images @ vector > _EQUAL
    movers = np.unique(left_cosets(group, fixes), return_index=True)[1]
    # The vector itself first.
    movers = np.roll(movers, -int((images[movers] @ vector).argmax()))
    return Orbit(images[movers], movers, irrep.matrices[fixes].mean(axis=0))


def least_sizes(
    characters: Float[np.ndarray, "irrep group"], subgroups: Subgroups
) -> Float[np.ndarray, " irrep"]:
    """Return the number of vectors of the least ρ-set of each irrep.

    The least index |G : H| of a subgroup H that fixes a vector, by the mean of the
    character over H; every orbit spans an irreducible space.
    """
    num_fixed = characters @ subgroups.members.T / subgroups.orders
    sizes = characters.shape[1] / np.where(num_fixed > 0.5, subgroups.orders, np.nan)
    return np.nanmin(sizes, axis=1)


def with_negatives(orbit: Orbit) -> Orbit:
    """Return the set with all negatives, itself if it has them."""
    if orbit.contains(-orbit.vectors[0]):
        return orbit
    return Orbit(
        np.concatenate([orbit.vectors, -orbit.vectors]),
        np.tile(orbit.movers, 2),
        orbit.stabiliser,
    )


def candidate_orbits(
    group: Group, irrep: Irrep, neurons: RankOneNeurons, subgroups: Subgroups
) -> list[Orbit]:
    """Return the orbits that neurons may use, those without −1 also with negatives.

    A vector of a small orbit is fixed by a subgroup H > 1. Where H fixes a line, the
    orbit is the group's own, one for a conjugacy class of H. Otherwise the neurons
    decide: each vector is projected onto what the largest H fixes that nearly fixes it.
    """
    if irrep.dim == 1:
        return [with_negatives(build_orbit(group, irrep, np.ones(1)))]
    entries = irrep.matrices.reshape(group.order, -1)
    fixed = subgroups.members.astype(float) @ entries / subgroups.orders[:, None]
    fixed = fixed.reshape(-1, irrep.dim, irrep.dim)
    num_fixed = np.rint(np.trace(fixed, axis1=1, axis2=2)).astype(int)
    proper = subgroups.orders > 1
    firsts = np.unique(subgroups.class_of, return_index=True)[1]
    lines = [k for k in firsts if num_fixed[k] == 1 and proper[k]]
    proposed = [np.linalg.eigh(fixed[k])[1][:, -1] for k in lines]

    vectors = np.concatenate([neurons.b, neurons.b_prime])
    kept = np.einsum("vi,kij,vj->vk", vectors, fixed, vectors, optimize=True)
    rank = np.where((kept > CLOSE) & proper, subgroups.orders + kept / 2, 0.0)
    for vector, ranks in zip(vectors, rank, strict=True):
        best = int(ranks.argmax())
        if ranks[best] > 0 and num_fixed[best] > 1:
            snapped = fixed[best] @ vector
            proposed.append(snapped / np.linalg.norm(snapped))

    orbits: list[Orbit] = []
    for vector in proposed:
        known = (orbit.contains(s * vector) for orbit in orbits for s in (1, -1))
        if not any(known):
            orbits.append(build_orbit(group, irrep, vector))
    signed = [with_negatives(orbit) for orbit in orbits]
    return orbits + [o for o in signed if all(o is not known for known in orbits)]


@dataclass(frozen=True, eq=False)
class Matches:
    """The nearest pair of vectors of an orbit for each neuron.

    Attributes:
        left: index of the vector nearest to sign·b.
        right: index of the vector nearest to sign·b'.
        sign: 1 or −1; a neuron is the same with a, b and b' negated.
        cosine: the smaller of the two cosines.
    """

    left: Int[np.ndarray, " neuron"]
    right: Int[np.ndarray, " neuron"]
    sign: Int[np.ndarray, " neuron"]
    cosine: Float[np.ndarray, " neuron"]

    @property
    def is_near(self) -> np.ndarray:
        """Return whether both vectors of each neuron are near the orbit's."""
        return self.cosine > CLOSE**0.5


def match(neurons: RankOneNeurons, orbit: Orbit) -> Matches:
    """Match neurons with pairs of an orbit's vectors."""
    of_b, of_b_prime = neurons.b @ orbit.vectors.T, neurons.b_prime @ orbit.vectors.T
    cosines = [
        np.minimum((s * of_b).max(axis=1), (s * of_b_prime).max(axis=1))
        for s in (1, -1)
    ]
    sign = np.where(cosines[0] >= cosines[1], 1, -1)
    return Matches(
        left=(sign[:, None] * of_b).argmax(axis=1),
        right=(sign[:, None] * of_b_prime).argmax(axis=1),
        sign=sign,
        cosine=np.maximum(*cosines),
    )
