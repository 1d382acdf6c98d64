"""All 1,048 groups of order up to 100 against what GAP knows of them."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from repjax.groups import Group, real_irreps
from repjax.groups.automorphisms import (
    automorphism_group,
    isomorphism,
    orbits_of_characters,
)
from repjax.groups.characters import character_table
from repjax.groups.identify import identify
from repjax.groups.library import find_entry, library_group, small_groups
from repjax.groups.signatures import signature

EXPECTED = Path(__file__).with_name("small_groups_expected.txt")
ALL = [
    (order, entry.number) for order, found in small_groups().items() for entry in found
]
SAMPLE = [ALL[k] for k in np.random.default_rng(0).permutation(len(ALL))[:60]]
ORDERS = [*range(1, 101)]


@cache
def expected() -> dict[tuple[int, int], tuple[int, str, int]]:
    """Number of classes, complex irreps in words, number of automorphisms."""
    lines = [line.split("|") for line in EXPECTED.read_text().splitlines()]
    return {
        (int(order), int(number)): (int(classes), irreps, int(automorphisms))
        for order, number, classes, irreps, automorphisms in (
            line for line in lines if len(line) == 5 and line[0].isdecimal()
        )
    }


def in_words(degrees_and_indicators) -> str:
    """Degree, Frobenius-Schur indicator and number, as GAP's values are written."""
    counts = sorted(Counter(degrees_and_indicators).items())
    return " ".join(f"{degree}:{kind}*{count}" for (degree, kind), count in counts)


def shuffled(group: Group, seed: int) -> Group:
    """The same group, its elements in another order."""
    place = np.random.default_rng(seed).permutation(group.order)
    table = np.empty_like(group.table)
    table[np.ix_(place, place)] = place[group.table]
    return Group(group.name, table)


def test_library_is_complete():
    """1,048 groups, numbered from 1 in every order; counts from OEIS A000001."""
    assert len(ALL) == 1048 == len(expected())
    counts = [len(small_groups()[order]) for order in ORDERS]
    assert counts[:32] == [
        1, 1, 1, 2, 1, 2, 1, 5, 2, 2, 1, 5, 1, 2, 1, 14,
        1, 5, 1, 5, 2, 2, 1, 15, 2, 2, 5, 4, 1, 4, 1, 51,
    ]  # fmt: skip
    assert (counts[63], counts[95]) == (267, 231)


def test_structures_are_in_our_names():
    """GAP calls D_n of 2n elements D2n; blanks go."""
    assert find_entry(16, 7).structure == "D8"
    assert find_entry(24, 10).structure == "C3xD4"
    assert find_entry(36, 10).structure == "S3xS3"


# Where orders and class sizes do not tell apart what no automorphism exchanges.
HARD = [
    (32, 26), (55, 1), (64, 3), (64, 59), (64, 108), (64, 180), (64, 197), (64, 214),
    (81, 4), (96, 75), (96, 166),
]  # fmt: skip

# `make test ARGS="-m library"`; the others run in every suite.
EVERY = [
    pytest.param(order, number, marks=pytest.mark.library)
    for order, number in ALL
    if (order, number) not in {*SAMPLE, *HARD}
]


@pytest.mark.parametrize(("order", "number"), [*SAMPLE, *HARD, *EVERY])
def test_group_and_irreps_are_those_of_gap(order, number):
    """Axioms, classes, and real and complex irreps with degree and type."""
    group = library_group(order, number)
    Group.from_table(group.name, group.table)
    classes, irreps, _ = expected()[order, number]
    assert group.order == order
    assert len(group.class_sizes) == classes
    table = character_table(group)
    kinds = zip(table.degrees.tolist(), table.indicators.tolist(), strict=True)
    assert in_words(kinds) == irreps
    assert sum(irrep.num_functions for irrep in real_irreps(group)) == order
    complexified = []
    for irrep in real_irreps(group):
        match irrep.type:
            case "real":
                complexified.append((irrep.dim, 1))
            case "complex":
                complexified += 2 * [(irrep.dim // 2, 0)]
            case "quaternionic":
                complexified.append((irrep.dim // 2, -1))
    assert in_words(complexified) == irreps


@pytest.mark.parametrize(("order", "number"), [*SAMPLE, *HARD, *EVERY])
def test_automorphisms_are_as_many_as_gap_counts(order, number):
    """And irreps that share all invariants are exchanged by an automorphism."""
    group = library_group(order, number)
    assert automorphism_group(group).order == expected()[order, number][2]
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    orbits = orbits_of_characters(group, characters)
    found = [repr(signature(group, character)) for character in characters]
    assert len({*zip(orbits.tolist(), found, strict=True)}) == len({*found})


@pytest.mark.parametrize(("order", "number"), [*SAMPLE, *HARD])
def test_names_of_irreps_do_not_depend_on_the_order_of_elements(order, number):
    """An isomorphism takes an irrep to one of the same name, or of its orbit."""
    group = library_group(order, number)
    assert identify(shuffled(group, 7)) == find_entry(order, number)
    first, other = shuffled(group, 0), shuffled(group, 1)
    image = isomorphism(first, other)
    characters = np.stack([irrep.character for irrep in real_irreps(first)])
    orbits = orbits_of_characters(first, characters)
    for k, (one, two) in enumerate(
        zip(real_irreps(first), real_irreps(other), strict=True)
    ):
        assert (one.name, one.dim, one.type) == (two.name, two.dim, two.type)
        assert values(first, one.character) == values(other, two.character)
        same = (characters @ two.character[image]).argmax()
        assert orbits[same] == orbits[k]


def values(group: Group, character: np.ndarray) -> Counter:
    """Character values over classes, each with size and order of its elements."""
    return Counter(
        (int(size), int(group.element_orders[g]), round(float(character[g]), 6))
        for size, g in zip(group.class_sizes, group.class_representatives, strict=True)
    )
