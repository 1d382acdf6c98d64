"""Idealised networks of ρ-sets, fitted to the neurons of an MLP.

Wu et al. (ICLR 2025, "Towards a unified and verified understanding of group-operation
networks"), section 4. A ρ-set B is a finite set of vectors closed under ρ(G). With a
direction a, its network has a neuron for every pair (b, b') of B:

    A[x] = bᵀρ(x)a,   B[y] = −aᵀρ(y)b',   U[z] = −κ·bᵀρ(z)b'.

As ρ is orthogonal, bᵀρ(x)a = aᵀρ(x⁻¹)b. Moving b by ρ(x) and b' by ρ(y⁻¹) permutes the
pairs, so that logit z of (x, y) is

    φ(x⁻¹·z·y⁻¹),   φ(t) = −κ·Σ_{b, b'} bᵀρ(t)b'·ReLU(aᵀb − aᵀb'):

bi-equivariant, and at the label (t = e) the terms with b = b' vanish. Σb = 0, so that
ReLU(x) = (x + |x|)/2 may be replaced by |x|/2. On the host, in float64.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from repjax.explanations.orbits import (
    CLOSE,
    Orbit,
    build_orbit,
    candidate_orbits,
    match,
    with_negatives,
)
from repjax.explanations.rank_one import RankOneNeurons, best_irreps, rank_one_parts
from repjax.groups import Irrep, real_irreps
from repjax.groups.group import Group
from repjax.groups.subgroups import subgroups

SMALLEST_SHARE = 0.05
"""A ρ-set explains at least this share of the coefficients of its irrep."""

NEARLY_AS_MUCH = 0.9
"""Of sets that explain this share of what the best one does, the smallest is chosen."""


EQUAL_OPPOSITE = 1e-9 - 1
"""Cosine of opposite unit vectors, up to rounding."""


@dataclass(frozen=True, eq=False)
class RhoSet:
    """One ρ-set with one direction, and the neurons that use it.

    Attributes:
        irrep: index among the real irreps.
        vectors: B, unit vectors.
        direction: a, a unit vector.
        kappa: coefficient of each pair, the same for all.
        neurons: the neurons, with the signs for which b and b' are near B.
        left: index in B of each neuron's b.
        right: index in B of its b'.
    """

    irrep: int
    vectors: Float[np.ndarray, "vector dim"]
    direction: Float[np.ndarray, " dim"]
    kappa: float
    neurons: RankOneNeurons
    left: Int[np.ndarray, " neuron"]
    right: Int[np.ndarray, " neuron"]

    @property
    def opposite(self) -> Int[np.ndarray, " vector"] | None:
        """Index of −b for each b of B; None if B has no negatives."""
        cosines = self.vectors @ self.vectors.T
        if cosines.min() > EQUAL_OPPOSITE:
            return None
        return cosines.argmin(axis=1)

    @property
    def coverage(self) -> float:
        """Share of the pairs of B that have a neuron, in [0, 1].

        The pairs (b, b') and (−b, −b') count as one.
        """
        size, opposite = len(self.vectors), self.opposite
        has_neuron = np.zeros((size, size), bool)
        has_neuron[self.left, self.right] = True
        if opposite is not None:
            has_neuron[opposite[self.left], opposite[self.right]] = True
        return float(has_neuron.mean())


@dataclass(frozen=True, eq=False)
class RhoSetFit:
    """All ρ-sets of a network.

    Attributes:
        sets: by irrep, those that explain most first.
        explained: share of live neurons that belong to a set, in [0, 1].
        reason: why there is no fit; None if there is one.
    """

    sets: tuple[RhoSet, ...]
    explained: float
    reason: str | None = None


def fit_rho_sets(
    group: Group,
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> RhoSetFit:
    """Fit ρ-sets to the live neurons of an MLP, irrep by irrep.

    Each neuron counts for the irrep that it receives most of. Neurons that are near no
    ρ-set are left out of the idealised network.

    Args:
        group: group of the network.
        left: A.
        right: B.
        unembedding: U.
    """
    left, right, unembedding = (
        np.asarray(x, np.float64) for x in (left, right, unembedding)
    )
    irreps, best = real_irreps(group), best_irreps(group, left, right)
    live = np.unique(best[best >= 0])
    if not live.size:
        return RhoSetFit((), np.nan, "no neuron is live")
    if other := [irreps[k] for k in live if irreps[k].type != "real"]:
        names = ", ".join(
            f"{irrep.name} is of {irrep.type} type" for irrep in other[:3]
        )
        more = f", and {len(other) - 3} others" if len(other) > 3 else ""
        reason = f"ρ-sets are fitted to irreps of real type; {names}{more}"
        return RhoSetFit((), np.nan, reason)
    sets: list[RhoSet] = []
    for k in live:
        index = np.flatnonzero(best == k)
        neurons = rank_one_parts(irreps[k], index, left, right, unembedding)
        sets += _sets_of_irrep(group, irreps[k], int(k), neurons)
    num_explained = sum(len(found.left) for found in sets)
    return RhoSetFit(tuple(sets), num_explained / np.sum(best >= 0))


def _sets_of_irrep(
    group: Group, irrep: Irrep, k: int, neurons: RankOneNeurons
) -> list[RhoSet]:
    """Take the best orbit, then the best for the neurons that are left, and so on."""
    neurons = neurons.select(neurons.kappa > 0)
    total, sets = neurons.kappa.sum(), []
    orbits = candidate_orbits(group, irrep, neurons, subgroups(group))
    while len(neurons.index) and orbits:
        explained = np.array(
            [neurons.kappa @ match(neurons, orbit).is_near for orbit in orbits]
        )
        if explained.max() < SMALLEST_SHARE * total:
            break
        good = np.flatnonzero(explained >= NEARLY_AS_MUCH * explained.max())
        chosen = min(good, key=lambda i: (orbits[i].size, -explained[i]))
        orbit = _refine(group, irrep, neurons, orbits[chosen])
        near = match(neurons, orbit).is_near
        if not near.any():
            break
        sets += _by_direction(k, orbit, neurons.select(near))
        neurons = neurons.select(~near)
    return sets


def _refine(group: Group, irrep: Irrep, neurons: RankOneNeurons, orbit: Orbit) -> Orbit:
    """One step of k-means: the orbit of the mean of all vectors, moved back to one.

    Where the stabiliser fixes a line, the orbit stays as it is.
    """
    if np.trace(orbit.stabiliser) < 1.5:
        return orbit
    found, total = match(neurons, orbit), np.zeros(irrep.dim)
    num_moved = len(orbit.movers)
    flipped = np.where(
        np.einsum("vij,j,vi->v", irrep.matrices[orbit.movers], orbit.vectors[0],
                  orbit.vectors) > 0, 1.0, -1.0,
    )  # fmt: skip
    for vectors, at in ((neurons.b, found.left), (neurons.b_prime, found.right)):
        weight = neurons.kappa * found.is_near * found.sign * flipped[at]
        back = irrep.matrices[orbit.movers[at]]
        total += np.einsum("h,hij,hi->j", weight, back, vectors)
    mean = orbit.stabiliser @ total
    if not np.linalg.norm(mean) > 0:
        return orbit
    refined = build_orbit(group, irrep, mean / np.linalg.norm(mean))
    return with_negatives(refined) if num_moved > refined.size else refined


def _by_direction(k: int, orbit: Orbit, neurons: RankOneNeurons) -> list[RhoSet]:
    """Divide the neurons of an orbit by their directions a, up to sign, by k-means."""
    found = match(neurons, orbit)
    signs = found.sign[:, None]
    neurons = replace(
        neurons, a=signs * neurons.a, b=signs * neurons.b,
        b_prime=signs * neurons.b_prime,
    )  # fmt: skip
    directions = _leading_directions(neurons)
    for _ in range(10):
        cluster = ((neurons.a @ directions.T) ** 2).argmax(axis=1)
        used = np.unique(cluster)
        directions = np.stack([_mean_line(neurons.select(cluster == c)) for c in used])
    cluster = ((neurons.a @ directions.T) ** 2).argmax(axis=1)
    sets = []
    for c in np.unique(cluster):
        mine = cluster == c
        sets.append(
            RhoSet(
                irrep=k,
                vectors=orbit.vectors,
                direction=directions[c],
                kappa=float(neurons.kappa[mine].sum() / orbit.size**2),
                neurons=neurons.select(mine),
                left=found.left[mine],
                right=found.right[mine],
            )
        )
    return sorted(sets, key=lambda found: -found.kappa)


def _leading_directions(
    neurons: RankOneNeurons,
) -> Float[np.ndarray, "direction dim"]:
    """Directions that every a is near to, those of most weight first."""
    near, left, chosen = (neurons.a @ neurons.a.T) ** 2 > CLOSE, neurons.kappa, []
    while (left > 0).any():
        chosen.append(int((near @ left * (left > 0)).argmax()))
        left = np.where(near[chosen[-1]], 0.0, left)
    return neurons.a[chosen]


def _mean_line(neurons: RankOneNeurons) -> Float[np.ndarray, " dim"]:
    """The line with the largest Σκ(a·line)²."""
    moments = np.einsum("h,hi,hj->ij", neurons.kappa, neurons.a, neurons.a)
    return np.linalg.eigh(moments)[1][:, -1]


def logits_of_sets(
    group: Group, sets: tuple[RhoSet, ...]
) -> Float[np.ndarray, " group"]:
    """Return φ of the idealised network: logit c of the pair (a, b) is φ(a⁻¹·c·b⁻¹)."""
    logits, irreps = np.zeros(group.order), real_irreps(group)
    for found in sets:
        along = found.vectors @ found.direction
        active = np.maximum(along[:, None] - along, 0)
        matrix = found.kappa * found.vectors.T @ active @ found.vectors
        logits -= np.einsum("ij,gij->g", matrix, irreps[found.irrep].matrices)
    return logits


def weights_of_sets(
    group: Group, sets: tuple[RhoSet, ...]
) -> tuple[
    Float[np.ndarray, "group pair"],
    Float[np.ndarray, "group pair"],
    Float[np.ndarray, "pair group"],
]:
    """Return A, B and U of the idealised MLP: a neuron for each pair of each set."""
    parts = []
    for found in sets:
        matrices, size = real_irreps(group)[found.irrep].matrices, len(found.vectors)
        b, b_prime = np.indices((size, size)).reshape(2, -1)
        into = np.einsum("vi,gij,j->gv", found.vectors, matrices, found.direction)
        from_right = np.einsum("i,gij,vj->gv", found.direction, matrices, found.vectors)
        out = np.einsum("vi,gij,wj->vwg", found.vectors, matrices, found.vectors)
        parts.append(
            (into[:, b], -from_right[:, b_prime],
             -found.kappa * out.reshape(-1, group.order))
        )  # fmt: skip
    if not parts:
        nothing = np.zeros((group.order, 0))
        return nothing, nothing, nothing.T
    left, right, above = zip(*parts, strict=True)
    return np.hstack(left), np.hstack(right), np.vstack(above)
