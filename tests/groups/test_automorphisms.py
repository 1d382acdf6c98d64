"""Isomorphisms and automorphisms against theorems, brute force and the definitions.

`test_library.py` compares the number of automorphisms of all groups of order up to 100
with GAP's.
"""

import importlib
from itertools import combinations, product
from math import factorial, gcd, prod

import numpy as np
import pytest

from repjax.groups import Group, build_fourier, build_group, real_irreps
from repjax.groups.automorphisms import (
    automorphism_group,
    element_invariants,
    irrep_permutations,
    isomorphism,
    orbits_of_characters,
)
from repjax.groups.library import library_group, small_groups

MODULE = importlib.import_module("repjax.groups.automorphisms")

UP_TO_12 = [entry.name for n in range(1, 13) for entry in small_groups()[n]]
NAMES = [
    *("C1", "C2", "C12", "C113", "D4", "D59", "Q8", "Q16", "Dic3", "S4", "S5", "S6"),
    *("A4", "A5", "A6", "PSL(2,7)", "SL(2,3)", "GL(2,3)", "Heisenberg(3)", "C7:C3"),
    *("C2^6", "C3^4", "C4xC2", "A5xC2", "S3wrC2", "SmallGroup(64,64)", "D250"),
]


def num_units(n: int) -> int:
    """Euler's φ."""
    return sum(gcd(k, n) == 1 for k in range(n))


def order_of_gl(dim: int, p: int) -> int:
    """Order of GL(dim, p), the automorphism group of C_p^dim."""
    return prod(p**dim - p**k for k in range(dim))


def relabelled(group: Group, seed: int = 0) -> tuple[Group, np.ndarray]:
    """A group with its elements in random order, and the new index of each."""
    new = np.random.default_rng(seed).permutation(group.order)
    old = np.argsort(new)
    return Group.from_table("relabelled", new[group.table[np.ix_(old, old)]]), new


def fresh(name: str) -> Group:
    """A group that no cache knows."""
    return Group(name, build_group(name).table.copy())


def assert_isomorphism(first: Group, second: Group, f: np.ndarray) -> None:
    assert sorted(f.tolist()) == list(range(first.order))
    assert np.array_equal(f[first.table], second.table[f[:, None], f])


def all_automorphisms(group: Group) -> set[tuple[int, ...]]:
    """Every choice of images of the generators that extends to an automorphism."""
    found = set()
    for images in product(range(group.order), repeat=len(group.generators)):
        f = {group.identity: group.identity}
        queue = [group.identity]
        for x in queue:
            for s, image in zip(group.generators, images, strict=True):
                if group.table[x, s] not in f:
                    f[group.table[x, s]] = group.table[f[x], image]
                    queue.append(group.table[x, s])
        f = np.array([f[x] for x in range(group.order)])
        is_onto = len({*f.tolist()}) == group.order
        if is_onto and np.array_equal(f[group.table], group.table[f[:, None], f]):
            found.add(tuple(f.tolist()))
    return found


def products_of(maps: np.ndarray) -> set[tuple[int, ...]]:
    """All products of some permutations."""
    found = {tuple(range(maps.shape[1]))}
    queue = [*found]
    for f in queue:
        new = {tuple(row[list(f)].tolist()) for row in maps} - found
        found |= new
        queue += new
    return found


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("C1", 1),
        ("D4", 8),
        ("Q8", 24),
        ("A4", 24),
        ("SL(2,3)", 24),
        ("A5", 120),
        ("A6", 1440),
        ("S6", 1440),
        ("A7", 5040),
        ("PSL(2,7)", 336),
        ("SL(2,9)", 1440),
        ("M11", 7920),
        ("Heisenberg(3)", 432),
        ("C2^3", 168),
        ("C2^5", 9_999_360),
        ("C2^6", 20_158_709_760),
        ("C3^4", 24_261_120),
        ("C4xC2", 8),
        ("SmallGroup(36,3)", 72),  # where one conjugate fails and another does not
        ("C4^4", 1_321_205_760),
        ("A5xC2", 120),
    ],
)
def test_known_orders(name, order):
    """Exact, even where no list could hold the automorphisms."""
    found = automorphism_group(build_group(name)).order
    assert type(found) is int
    assert found == order


@pytest.mark.parametrize("n", [1, 3, 4, 5, 7])
def test_symmetric_groups_are_complete(n):
    """All automorphisms are inner unless n is 2 or 6."""
    assert automorphism_group(build_group(f"S{n}")).order == factorial(n)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 12, 36, 60, 113, 118, 720, 1000])
def test_cyclic_and_dihedral_groups(n):
    """Units modulo n; and r → r^u, s → r^k s."""
    assert automorphism_group(build_group(f"C{n}")).order == num_units(n)
    if n >= 3:
        assert automorphism_group(build_group(f"D{n}")).order == n * num_units(n)


@pytest.mark.parametrize(
    ("p", "dim"), [(2, 1), (2, 2), (2, 4), (2, 8), (2, 10), (3, 3), (3, 5), (5, 3)]
)
def test_elementary_abelian_groups(p, dim):
    """The general linear group."""
    group = build_group(f"C{p}^{dim}")
    assert automorphism_group(group).order == order_of_gl(dim, p)


@pytest.mark.parametrize("name", UP_TO_12)
def test_every_automorphism_of_small_groups(name):
    """The generators generate exactly what brute force finds."""
    group = build_group(name)
    expected = all_automorphisms(group)
    found = automorphism_group(group)
    assert found.order == len(expected)
    assert products_of(found.generators) == expected


@pytest.mark.parametrize("name", NAMES)
def test_generators_are_automorphisms(name):
    """Also where the identity is not the first element."""
    group, _ = relabelled(build_group(name))
    found = automorphism_group(group)
    assert found.order == automorphism_group(build_group(name)).order
    assert (len(found.generators) == 0) == (found.order == 1)
    for f in found.generators:
        assert_isomorphism(group, group, f)


@pytest.mark.parametrize("name", ["D6", "Q8", "S4", "S5", "A5", "A6", "C7:C3", "D4xC2"])
def test_inner_automorphisms_are_among_them(name):
    """Their images of a tuple of generators lie in its orbit."""
    group = build_group(name)
    maps = automorphism_group(group).generators
    start = group.generators
    orbit, queue = {start}, [start]
    for images in queue:
        new = {tuple(row.tolist()) for row in maps[:, images]} - orbit
        orbit |= new
        queue += new
    assert len(orbit) == automorphism_group(group).order
    for g in range(group.order):
        conjugates = group.table[group.table[g, list(start)], group.inverse[g]]
        assert tuple(conjugates.tolist()) in orbit


@pytest.mark.parametrize("name", NAMES)
def test_isomorphism_to_a_relabelled_table(name):
    first = build_group(name)
    for seed in range(3):
        second, _ = relabelled(first, seed)
        assert_isomorphism(first, second, isomorphism(first, second))
        assert_isomorphism(second, first, isomorphism(second, first))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("S3", "D3"), ("C6", "C2xC3"), ("D6", "S3xC2"), ("Q8", "Dic2")),
        *(("PSL(2,5)", "A5"), ("PSL(2,9)", "A6"), ("GL(3,2)", "PSL(2,7)")),
    ],
)
def test_one_group_under_two_names(one, other):
    first, second = build_group(one), build_group(other)
    assert_isomorphism(first, second, isomorphism(first, second))


DIFFERENT = [
    ("C4", "C2^2"),
    ("C5", "C6"),
    ("D4", "Q8"),
    ("C2xC8", "C8:C2(5)"),  # the modular group has as many elements of each order
    ("C4xC4", "C4:C4"),
    ("C3^3", "Heisenberg(3)"),
    ("Heisenberg(3)", "C9:C3"),
    ("C8:C2(3)", "D8"),
    ("S5", "SL(2,5)"),
    ("S4", "SL(2,3)"),
    ("C11:C5", "C55"),
    *((f"Dic{n}", f"D{2 * n}") for n in range(2, 9)),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_groups_are_told_apart(one, other):
    assert isomorphism(build_group(one), build_group(other)) is None
    assert isomorphism(build_group(other), build_group(one)) is None


@pytest.mark.parametrize("order", [8, 12, 16, 18, 20, 24, 27, 32])
def test_search_does_not_rely_on_fine_colours(monkeypatch, order):
    """With element orders for colours the results are the same."""
    numbers = [entry.number for entry in small_groups()[order]]
    expected = [automorphism_group(library_group(order, k)).order for k in numbers]
    monkeypatch.setattr(
        MODULE, "element_invariants", lambda group: group.element_orders
    )
    groups = [fresh(f"SmallGroup({order},{k})") for k in numbers]
    assert [automorphism_group(group).order for group in groups] == expected
    for group in groups:
        second, _ = relabelled(group)
        assert_isomorphism(group, second, isomorphism(group, second))
    for first, second in combinations(groups, 2):
        assert isomorphism(first, second) is None


@pytest.mark.parametrize("name", NAMES)
def test_invariants_do_not_depend_on_the_numbering(name):
    group = build_group(name)
    second, new = relabelled(group)
    assert np.array_equal(element_invariants(second)[new], element_invariants(group))


@pytest.mark.parametrize("name", UP_TO_12)
def test_invariants_tell_the_orbits_of_small_groups_apart(name):
    """No isomorphism changes a colour, and here nothing else shares one."""
    group = build_group(name)
    colours, maps = element_invariants(group), np.array([*all_automorphisms(group)])
    assert (colours[maps] == colours).all()
    orbits = {frozenset(column.tolist()) for column in maps.T}
    assert len(np.unique(colours)) == len(orbits)


@pytest.mark.parametrize(
    ("name", "num_orbits"),
    [
        ("C11:C5", 6),  # x r x⁻¹ = r^3, r^4, r^5 and r^9 for the four powers of x
        ("C4:C4", 6),
        ("Heisenberg(5)", 3),  # commutators are neither the identity nor generators
        ("Heisenberg(3)xC3", 4),
        ("S6", 8),
    ],
)
def test_invariants_are_fine(name, num_orbits):
    """As many colours as orbits of elements under automorphisms."""
    assert len(np.unique(element_invariants(build_group(name)))) == num_orbits


def test_invariants_tell_all_small_groups_apart():
    """By the number of elements of each colour alone."""
    for order in range(1, 41):
        groups = [library_group(order, entry.number) for entry in small_groups()[order]]
        colours = {tuple(np.sort(element_invariants(group))) for group in groups}
        assert len(colours) == len(groups), order


def test_invariants_increase_with_the_order_then_the_size_of_the_class():
    """Names of irreps follow from this."""
    group = build_group("S5")
    ranks = element_invariants(group).argsort()
    kinds = [*zip(group.element_orders, group.class_sizes[group.classes], strict=True)]
    assert [kinds[k] for k in ranks] == sorted(kinds)


def test_invariants_are_the_same_on_all_machines():
    """A change of these numbers may exchange names of irreps: say so to users."""
    e, r, s = element_invariants(build_group("D3"))[[0, 1, 3]].tolist()
    assert (e >> 31, r >> 31, s >> 31) == (1 << 16 | 1, 3 << 16 | 2, 2 << 16 | 3)
    assert [number % 2**31 for number in (e, r, s)] == [
        1319797926,
        168390324,
        1834553516,
    ]


@pytest.mark.parametrize(
    ("name", "orbits"),
    [
        ("C1", [0]),
        ("C7", [0, 1, 1, 1]),
        ("C12", [0, 1, 2, 3, 4, 1, 5]),  # by the order of the frequency
        ("Q8", [0, 1, 1, 1, 2]),
        ("A5", [0, 1, 1, 2, 3]),
        # standard ↔ 5d_b, standard_sign ↔ 5d_a, 10d_a ↔ 10d_b
        ("S6", [0, 1, 2, 3, 3, 2, 4, 5, 6, 6, 7]),
        ("S5", [0, 1, 2, 3, 4, 5, 6]),
        ("D4", [0, 1, 2, 2, 3]),
        ("C2^3", [0, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_orbits_of_characters(name, orbits):
    group = build_group(name)
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    assert orbits_of_characters(group, characters).tolist() == orbits


def permutations_of(name: str) -> np.ndarray:
    group = build_group(name)
    return irrep_permutations(group, build_fourier(group).characters)


def moved_irreps(name: str) -> dict[str, set[str]]:
    """Irreps that some generator moves, with their images."""
    names = build_fourier(build_group(name)).names
    moved: dict[str, set[str]] = {}
    for images in permutations_of(name):
        assert sorted(images.tolist()) == list(range(len(names)))
        for irrep in np.flatnonzero(images != np.arange(len(names))):
            moved.setdefault(names[irrep], set()).add(names[images[irrep]])
    return moved


def test_permutations_of_irreps():
    """An odd permutation exchanges the 3d of A5; all of S4's automorphisms are inner.

    Out(Q8) ≅ S3 permutes the three signs of Q8.
    """
    assert moved_irreps("A5") == {"3d_a": {"3d_b"}, "3d_b": {"3d_a"}}
    assert moved_irreps("S4") == moved_irreps("C1") == {}
    assert permutations_of("C2").shape == (0, 2)
    signs = set(build_fourier(build_group("Q8")).names[1:4])
    moved = moved_irreps("Q8")
    assert moved.keys() == signs == set.union(*moved.values())


def test_automorphisms_of_a_prime_cyclic_group_turn_the_frequencies():
    """The units mod 23 up to sign are a cyclic group of order 11."""
    for turn in permutations_of("C23"):
        power = turn
        for _ in range(10):
            assert power[0] == 0 and (power[1:] != np.arange(1, 12)).all()
            power = turn[power]
        assert np.array_equal(power, np.arange(12))


@pytest.mark.parametrize("name", ["A5", "C23", "Q8", "SmallGroup(64,64)"])
def test_permuted_irreps_are_composed_with_the_automorphism(name):
    group = build_group(name)
    characters = build_fourier(group).characters
    generators = automorphism_group(group).generators
    for images, f in zip(permutations_of(name), generators, strict=True):
        np.testing.assert_allclose(characters[images], characters[:, f], atol=1e-9)


def test_orbits_are_numbered_by_first_irrep():
    """Whatever the order of the irreps."""
    group = build_group("A5")
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    found = orbits_of_characters(group, characters[[4, 2, 3, 1, 0]])
    assert found.tolist() == [0, 1, 2, 1, 3]


def test_missing_characters_are_noticed():
    group = build_group("A5")
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    with pytest.raises(ValueError, match="'A5': pass the characters of all real irrep"):
        orbits_of_characters(group, characters[[0, 1, 3, 4]])


def test_results_are_kept_and_cannot_be_written():
    group = build_group("D5")
    for result, array in [
        (automorphism_group, automorphism_group(group).generators),
        (element_invariants, element_invariants(group)),
    ]:
        assert result(group) is result(group)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
