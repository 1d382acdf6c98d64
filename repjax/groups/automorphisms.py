"""Isomorphisms and automorphisms of groups, from their multiplication tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt64

from repjax.groups.group import Factorisation, Group

CHARACTER_TOLERANCE = 1e-6
# Only speed depends on these two: elements of one colour that are tried as the next
# generator, and entries of the arrays of partial homomorphisms.
TRIALS_PER_COLOUR = 4
ENTRIES_AT_ONCE = 2**14
SALTS = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)

Map = Int[np.ndarray, " group"]
Subset = Bool[np.ndarray, " group"]


@dataclass(frozen=True, eq=False)
class Automorphisms:
    """The automorphism group Aut(G).

    Attributes:
        order: number of automorphisms.
        generators: automorphisms that generate Aut(G); generators[k, g] is the image
            of g. Empty if the identity is the only automorphism. Read-only.
    """

    order: int
    generators: Int[np.ndarray, "automorphism group"]

    def __post_init__(self) -> None:
        """Protects the generators: they are cached and shared."""
        self.generators.flags.writeable = False


@lru_cache(maxsize=1024)
def element_invariants(group: Group) -> Map:
    """Return a colour for each element that every isomorphism preserves.

    Colours do not depend on the numbering of the elements and can be compared between
    groups. They increase with the order of the element, then with the size of its
    class; the last 31 bits hash what `_refine` finds. Elements that share a hash by
    chance look more alike than they are: searches take longer, their results hold.
    """
    orders = group.element_orders.astype(np.int64)
    sizes = group.class_sizes[group.classes].astype(np.int64)
    colours, num_colours = _hash(orders, sizes), 0
    while num_colours < (num_colours := len(np.unique(colours))):
        colours = _refine(group, colours)
    invariants = (orders << 47) | (sizes << 31) | (colours >> 33).astype(np.int64)
    invariants.flags.writeable = False
    return invariants


def isomorphism(first: Group, second: Group) -> Map | None:
    """Return a bijection f with f(ab) = f(a)f(b), or None if there is none."""
    if first.order != second.order:
        return None
    colours, others = element_invariants(first), element_invariants(second)
    if not np.array_equal(np.sort(colours), np.sort(others)):
        return None
    trivial = np.full(first.order, second.identity, np.int32)
    return _complete(_chain(first), first, second, trivial)


@lru_cache(maxsize=64)
def automorphism_group(group: Group) -> Automorphisms:
    """Return the order and generators of the automorphism group.

    The order is a product of orbit lengths: of g_i under the automorphisms that fix
    g_1, …, g_{i-1}, for generators g_1, …, g_k of the group. These stabilisers grow
    from the last generator to the first. One search decides for a whole orbit of the
    part that is known, whether it succeeds or fails.
    """
    chain, colours = _chain(group), element_invariants(group)
    identity = np.arange(group.order, dtype=np.int32)
    order, known = 1, np.empty((0, group.order), np.int32)
    for level in reversed(range(len(chain))):
        stage, rest = chain[level], chain[level + 1 :]
        g = stage.generators[-1]
        undecided = colours == colours[g]
        undecided[_orbit(known, g)] = False
        for images in _extensions(stage, group, group, identity, undecided):
            automorphism = _complete(rest, group, group, images)
            if automorphism is None:
                undecided[_orbit(known, int(images[g]))] = False
            else:
                known = np.concatenate([known, automorphism[None]])
                undecided[_orbit(known, g)] = False
        order *= len(_orbit(known, g))
    return Automorphisms(order, known)


def irrep_permutations(
    group: Group, characters: Float[np.ndarray, "irrep group"]
) -> Int[np.ndarray, "automorphism irrep"]:
    """Return the permutations of the irreps by generators of Aut(G).

    Args:
        group: any group.
        characters: those of all its real irreps, in any order.

    Returns:
        A row for each automorphism f of `automorphism_group`: entry i is the index of
        ρ_i∘f. Inner automorphisms leave every irrep in place. No rows if the identity
        is the only automorphism.

    Raises:
        ValueError: these are not the characters of all real irreps.
    """
    generators = automorphism_group(group).generators
    images = np.empty((len(generators), len(characters)), np.int64)
    for image, automorphism in zip(images, generators, strict=True):
        moved = characters[:, automorphism]
        # Σ χχ' is positive if these are equal, else 0.
        image[:] = (moved @ characters.T).argmax(axis=1)
        if np.abs(characters[image] - moved).max() > CHARACTER_TOLERANCE:
            raise ValueError(f"'{group.name}': pass the characters of all real irreps")
    return images


def orbits_of_characters(
    group: Group, characters: Float[np.ndarray, "irrep group"]
) -> Int[np.ndarray, " irrep"]:
    """Return the orbit of each irrep under the automorphisms, numbered by first irrep.

    Raises:
        ValueError: these are not the characters of all real irreps.
    """
    first = np.arange(len(characters))
    moves = irrep_permutations(group, characters)
    while any((first[move] < first).any() for move in moves):
        first = np.min([first, *(first[move] for move in moves)], axis=0)
    return np.unique(first, return_inverse=True)[1]


def _hash(*numbers: Integer[np.ndarray, " group"]) -> UInt64[np.ndarray, " group"]:
    """Return a hash of the numbers of each element, the same on all machines."""
    mixed = np.zeros(1, np.uint64)
    for part in numbers:
        mixed = _scramble(mixed + part.astype(np.uint64))
    return mixed


def _scramble(numbers: UInt64[np.ndarray, " _"]) -> UInt64[np.ndarray, " _"]:
    """Return the output of SplitMix64 for each state (Steele, Lea and Flood 2014)."""
    mixed = numbers + SALTS[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _refine(
    group: Group, colours: UInt64[np.ndarray, " group"]
) -> UInt64[np.ndarray, " group"]:
    """Return finer colours, by the products of all pairs (Weisfeiler and Leman 1968).

    A pair x, y is described by the colours of x, xy and xyx⁻¹y⁻¹ and by the exponents
    with xyx⁻¹ = yᵏ and x = yᵐ, if any. The new colour of an element tells the pairs
    that its conjugates occur in as x, as y and as xyx⁻¹y⁻¹.
    """
    table, inverse, classes = group.table, group.inverse, group.classes
    of_x, of_product, of_commutator = (_hash(colours + salt) for salt in SALTS)
    as_x, as_y, as_commutator = np.zeros((3, len(group.class_sizes)), np.uint64)
    for k, y in enumerate(group.class_representatives.tolist()):
        product, exponents = table[:, y], _exponents(group, y)
        conjugate = table[product, inverse]
        commutator = table[conjugate, inverse[y]]
        kinds = of_x + of_product[product] + of_commutator[commutator]
        kinds += SALTS[1] * exponents[conjugate] + SALTS[2] * exponents
        kinds = _scramble(kinds)
        as_y[k] = kinds.sum()  # sums do not depend on the order of elements
        kinds *= np.uint64(group.class_sizes[k])
        np.add.at(as_x, classes, kinds)
        np.add.at(as_commutator, classes[commutator], kinds)
    return _hash(colours, as_x[classes], as_y[classes], as_commutator[classes])


def _exponents(group: Group, y: int) -> UInt64[np.ndarray, " group"]:
    """Return the least k >= 1 with yᵏ = g for each element g; 0 where there is none."""
    powers, order = np.array([y]), group.element_orders[y]
    while len(powers) < order:
        powers = np.append(powers, group.table[powers, powers[-1]])
    exponents = np.zeros(group.order, np.uint64)
    exponents[powers[:order]] = np.arange(1, order + 1)
    return exponents


@dataclass(frozen=True, eq=False)
class _Stage:
    """How a homomorphism on H extends to K = ⟨H, g⟩ once the image of g is chosen.

    Attributes:
        generators: those of K; the last is g.
        rounds: index arrays (ab, a, b) that reach all of K from H and g by products.
        members: the elements of K.
    """

    generators: tuple[int, ...]
    rounds: tuple[Factorisation, ...]
    members: Int[np.ndarray, " member"]


@lru_cache(maxsize=64)
def _chain(group: Group) -> tuple[_Stage, ...]:
    """Return stages from the trivial subgroup to the group.

    Each adds the generator that leaves the least choice for what it adds: the least
    log(elements of its colour)/log|K : H| among the elements tried.
    """
    _, colours, totals = np.unique(
        element_invariants(group), return_inverse=True, return_counts=True
    )
    stage = _Stage((), (), np.array([group.identity]))
    stages = []
    while (size := len(stage.members)) < group.order:
        outside = ~np.isin(np.arange(group.order), stage.members)
        best, least = stage, (np.inf, 0.0)
        for colour in totals.argsort(kind="stable"):
            choices = log(totals[colour])
            if choices / log(group.order / size) > least[0]:
                break  # even if K were the whole group
            alike = np.flatnonzero((colours == colour) & outside)
            for generator in alike[:TRIALS_PER_COLOUR].tolist():
                trial = _add_generator(group, stage, generator)
                growth = log(len(trial.members) / size)
                if (cost := (choices / growth, -growth)) < least:
                    best, least = trial, cost
        stages.append(stage := best)
    return tuple(stages)


def _add_generator(group: Group, stage: _Stage, generator: int) -> _Stage:
    """Return the stage that adds a generator to the subgroup of another.

    Each round multiplies all elements reached by the generators and by one new element:
    C1000 takes 10 rounds, where the generator alone would take 998.
    """
    generators = (*stage.generators, generator)
    members, factors = np.append(stage.members, generator), np.array(generators)
    reached = np.isin(np.arange(group.order), members)
    rounds: list[Factorisation] = []
    while True:
        products = group.table[np.ix_(members, factors)].ravel()
        new, index = np.unique(products, return_index=True)
        new, index = new[~reached[new]], index[~reached[new]]
        if not new.size:
            return _Stage(generators, tuple(rounds), members)
        rows, columns = np.divmod(index, len(factors))
        rounds.append((new, members[rows], factors[columns]))
        reached[new] = True
        members = np.append(members, new)
        factors = np.append(generators, new[-1])


def _extensions(
    stage: _Stage, first: Group, second: Group, images: Map, undecided: Subset
) -> Iterator[Map]:
    """Yield the extensions from H to K that send g to an undecided element.

    The caller may decide on more elements in between: `undecided` is shared. All are
    one-to-one since they preserve colours, and the identity has its own.
    """
    colours, others = element_invariants(first), element_invariants(second)
    g, num_at_once = stage.generators[-1], ENTRIES_AT_ONCE // len(stage.members) + 1
    while undecided.any():
        tried = np.flatnonzero(undecided)[:num_at_once]
        f = np.repeat(images[:, None], len(tried), axis=1)
        f[g] = tried
        for products, left, right in stage.rounds:
            f[products] = second.table[f[left], f[right]]
            f = f[:, (others[f[products]] == colours[products, None]).all(axis=0)]
        for s in stage.generators:
            products = second.table[f[stage.members], f[s]]
            f = f[:, (f[first.table[stage.members, s]] == products).all(axis=0)]
        for extension in np.ascontiguousarray(f.T):
            if undecided[extension[g]]:
                yield extension
        undecided[tried] = False


def _complete(
    chain: tuple[_Stage, ...], first: Group, second: Group, images: Map
) -> Map | None:
    """Return an isomorphism that extends a homomorphism on H, or None.

    Conjugation by elements that commute with the image of H leaves it as it is: where
    an image of g fails, so do its conjugates by these.
    """
    if not chain:
        return images
    stage, rest = chain[0], chain[1:]
    *known, g = stage.generators
    undecided = element_invariants(second) == element_invariants(first)[g]
    for extension in _extensions(stage, first, second, images, undecided):
        isomorphism = _complete(rest, first, second, extension)
        if isomorphism is not None:
            return isomorphism
        fixed = images[known]
        commutes = (second.table[:, fixed] == second.table[fixed].T).all(axis=1)
        conjugates = second.table[commutes, extension[g]], second.inverse[commutes]
        undecided[second.table[conjugates]] = False
    return None


def _orbit(
    maps: Int[np.ndarray, "automorphism group"], element: int
) -> Int[np.ndarray, " orbit"]:
    """Return the images of an element under all products of some bijections."""
    reached = np.arange(maps.shape[1]) == element
    frontier = np.array([element])
    while frontier.size:
        images = np.unique(maps[:, frontier])
        frontier = images[~reached[images]]
        reached[frontier] = True
    return np.flatnonzero(reached)
