"""Tests of permutations and of the groups that they generate."""

from itertools import permutations

import numpy as np
import pytest

from repjax.groups import build_group
from repjax.groups.permutations import (
    build_permutations,
    cycles_of,
    generate,
    images_of,
    parse_cycles,
)


@pytest.mark.parametrize(("name", "even"), [("S4", False), ("A5", True)])
def test_product_of_permutations_applies_the_left_factor_first(name, even):
    """Against composition of functions, one image at a time."""
    group, images = build_group(name), build_permutations(int(name[1]), even=even)
    for a, x in enumerate(images):
        for b, y in enumerate(images):
            assert [y[x[i]] for i in range(len(x))] == images[
                group.table[a, b]
            ].tolist()


def test_permutations_are_in_lexicographic_order():
    """All of them for S_n; for A_n those with an even number of inversions."""
    all_of_them = list(permutations(range(4)))
    assert build_permutations(4).tolist() == list(map(list, all_of_them))
    even = [x for x in all_of_them if round(np.linalg.det(np.eye(4)[list(x)])) == 1]
    assert build_permutations(4, even=True).tolist() == list(map(list, even))


def test_generated_group_is_the_symmetric_group_in_its_order():
    """Elements are sorted, so the numbering is that of S5 by name."""
    generators = images_of([parse_cycles("(0 1 2 3 4)"), parse_cycles("(0 1)")])
    elements, table = generate(generators, 120)
    assert np.array_equal(elements, build_permutations(5))
    assert np.array_equal(table, build_group("S5").table)


def test_generation_stops_at_the_largest_order():
    """One element more is too many."""
    generators = images_of([parse_cycles("(0 1 2 3 4)"), parse_cycles("(0 1)")])
    with pytest.raises(ValueError, match="more than 119 elements"):
        generate(generators, 119)


def test_cycles_and_images_are_inverse():
    """Cycles of points that are not 0, 1, … are renumbered."""
    (images,) = images_of([parse_cycles(" (10 2,7)(5 3) ")])
    assert images.tolist() == [3, 2, 1, 4, 0]  # of 2, 3, 5, 7, 10
    assert cycles_of(dict(enumerate(images.tolist()))) == [(0, 3, 4), (1, 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(0 1", "column 1: expected a cycle such as (0 1 2)"),
        ("(0 1) 2", "column 7: expected a cycle such as (0 1 2)"),
        ("(0 1)(2 x)", "column 9: 'x' is not a point"),
        ("(0 1)(2 -3)", "column 9: '-3' is not a point"),
        ("(0 1)(1 2)", "column 7: point 1 occurs twice"),
    ],
)
def test_bad_cycles_name_the_column(text, said):
    """Columns count from 1."""
    with pytest.raises(ValueError) as error:
        parse_cycles(text)
    assert str(error.value) == said
