"""Orbits of irreps and of sets of irreps under automorphisms of the group.

An automorphism permutes the irreps: it is given as the row of their images. Whether
rows are the whole group Aut(G) or only generate it makes no difference below.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer, Shaped

from repjax.statistics.key_sets import law, row_items

MAX_IMAGES = 2**14
# Up to so many products of automorphisms are tried in each round of a search.
_ENOUGH = 64

Automorphisms = Integer[np.ndarray, "automorphism irrep"]


@dataclass(frozen=True, eq=False)
class SetOrbit:
    """Sets of irreps that automorphisms map to each other.

    Attributes:
        images: all sets of the orbit, two or more.
        counts: number of runs with each of them; not all are 0.
    """

    images: Bool[np.ndarray, "image irrep"]
    counts: Int[np.ndarray, " image"]


def irrep_orbits(automorphisms: Automorphisms) -> Int[np.ndarray, " irrep"]:
    """Return the orbit of each irrep, numbered by first irrep."""
    first = np.arange(automorphisms.shape[1])
    while True:
        least = np.min([first, *(first[move] for move in automorphisms)], axis=0)
        if np.array_equal(least, first):
            return np.unique(first, return_inverse=True)[1]
        first = least


def set_orbits(
    is_key: Bool[np.ndarray, "run irrep"], automorphisms: Automorphisms
) -> tuple[list[SetOrbit], int]:
    """Return the orbits of the key sets that an automorphism moves.

    Orbits of more than `MAX_IMAGES` sets are left out, and so is every other set of the
    same number of irreps: which runs remain depends on their orbits alone, so that
    a test on the remaining runs is still exact.

    Returns:
        The orbits, and the number of runs left out.
    """
    sets = law(is_key)
    generators, is_group = _with_products(automorphisms)
    index = {item: row for row, item in enumerate(row_items(sets.rows).tolist())}
    sizes = sets.rows.sum(axis=1)
    done, too_large = np.zeros(sets.num_sets, bool), set()
    orbits: dict[int, list[SetOrbit]] = {}
    for row, size in enumerate(sizes.tolist()):
        if done[row] or size in too_large:
            continue
        images = _orbit(sets.rows[row], generators, MAX_IMAGES, is_group)
        if len(images) > MAX_IMAGES:
            too_large.add(size)
            continue
        items = row_items(images).tolist()
        seen = np.array([index.get(item, -1) for item in items])
        done[seen[seen >= 0]] = True
        if len(images) > 1:
            counts = np.where(seen >= 0, sets.counts[seen], 0)
            orbits.setdefault(size, []).append(SetOrbit(images, counts))
    left_out = int(sets.counts[np.isin(sizes, list(too_large))].sum())
    return [
        orbit for size, of in orbits.items() if size not in too_large for orbit in of
    ], left_out


def _with_products(
    automorphisms: Automorphisms,
) -> tuple[Integer[np.ndarray, "product irrep"], bool]:
    """Return automorphisms that generate the same group, and whether they are all."""
    numbers = np.arange(automorphisms.shape[1])
    products = _orbit(numbers, automorphisms, limit=_ENOUGH)
    if len(products) <= _ENOUGH:
        return products, True
    return np.concatenate([automorphisms, products[:_ENOUGH]]), False


def _orbit(
    start: Shaped[np.ndarray, " irrep"],
    automorphisms: Automorphisms,
    limit: int,
    is_group: bool = False,
) -> Shaped[np.ndarray, "image irrep"]:
    """Return all arrangements of a row, or more than the limit of them.

    One round is enough where all automorphisms of the group are given.
    """
    known = new = start[None]
    while len(new) and len(known) <= limit:
        # The inverses of the given permutations, which have the same orbits.
        images = new[:, automorphisms].reshape(-1, len(start))
        images = np.concatenate([known, images])
        _, first = np.unique(row_items(images), return_index=True)
        new = images[np.sort(first[first >= len(known)])]
        known = np.concatenate([known, new])
        if is_group:
            break
    return known
