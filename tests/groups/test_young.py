"""Tests of Young's orthogonal form."""

import math

import numpy as np
import pytest

from repjax.groups import build_group
from repjax.groups.permutations import build_permutations
from repjax.groups.young import (
    adjacent_transpositions,
    partition_names,
    partitions,
    standard_tableaux,
    young_orthogonal_form,
)


def hook_length_formula(shape):
    """Number of standard tableaux: n! over the product of all hook lengths."""
    columns = [sum(part > j for part in shape) for j in range(shape[0])]
    hooks = [
        shape[i] - j + columns[j] - i - 1
        for i in range(len(shape))
        for j in range(shape[i])
    ]
    return math.factorial(sum(shape)) // math.prod(hooks)


def test_partitions_in_falling_lexicographic_order():
    """1, 2, 3, 5, 7, 11, 15 of them."""
    assert list(partitions(4)) == [(4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1)]
    assert [len(list(partitions(n))) for n in range(1, 8)] == [1, 2, 3, 5, 7, 11, 15]


@pytest.mark.parametrize("shape", [s for n in range(1, 8) for s in partitions(n)])
def test_number_of_standard_tableaux(shape):
    """Against the hook length formula; no tableau twice, each of the shape."""
    tableaux = standard_tableaux(shape)
    assert len(set(tableaux)) == len(tableaux) == hook_length_formula(shape)
    for rows in tableaux:
        assert tuple(rows.count(i) for i in range(len(shape))) == shape


@pytest.mark.parametrize("shape", [s for n in range(2, 8) for s in partitions(n)])
def test_coxeter_relations(shape):
    """s² = 1, the braid relation, and distant transpositions commute: up to S7."""
    swaps = adjacent_transpositions(shape)
    identity = np.eye(swaps.shape[1])
    for i, s in enumerate(swaps):
        np.testing.assert_allclose(s, s.T, atol=1e-15)
        np.testing.assert_allclose(s @ s, identity, atol=1e-14)
        for j, t in enumerate(swaps[i + 1 :], i + 1):
            left, right = (s @ t @ s, t @ s @ t) if j == i + 1 else (s @ t, t @ s)
            np.testing.assert_allclose(left, right, atol=1e-14)


def test_standard_irrep_of_s3():
    """The published form: diagonal ±1, and a reflection at 60 degrees."""
    first, second = adjacent_transpositions((2, 1))
    order = np.argsort(-np.diag(first))
    half, root = 1 / 2, math.sqrt(3) / 2
    np.testing.assert_allclose(first[np.ix_(order, order)], [[1, 0], [0, -1]])
    np.testing.assert_allclose(
        second[np.ix_(order, order)], [[-half, root], [root, half]], atol=1e-15
    )


@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_form_of_the_whole_group(degree):
    """Each adjacent transposition has its own matrix; names in their order."""
    forms = young_orthogonal_form(build_group(f"S{degree}"))
    names = partition_names(degree)
    assert list(forms) == list(names.values())
    images = build_permutations(degree).tolist()
    for shape, name in names.items():
        for i, expected in enumerate(adjacent_transpositions(shape)):
            swap = list(range(degree))
            swap[i], swap[i + 1] = i + 1, i
            assert np.array_equal(forms[name][images.index(swap)], expected)


def test_names_of_partitions():
    """The names of the paper, in the order of the irreps."""
    assert partition_names(1) == {(1,): "trivial"}
    assert partition_names(2) == {(2,): "trivial", (1, 1): "sign"}
    assert list(partition_names(3).values()) == ["trivial", "sign", "standard"]
    assert list(partition_names(4).items()) == [
        ((4,), "trivial"),
        ((1, 1, 1, 1), "sign"),
        ((2, 2), "2d"),
        ((3, 1), "standard"),
        ((2, 1, 1), "standard_sign"),
    ]
    assert list(partition_names(5).items()) == [
        ((5,), "trivial"),
        ((1, 1, 1, 1, 1), "sign"),
        ((4, 1), "standard"),
        ((2, 1, 1, 1), "standard_sign"),
        ((2, 2, 1), "5d_a"),
        ((3, 2), "5d_b"),
        ((3, 1, 1), "6d"),
    ]
    assert list(partition_names(6).items()) == [
        ((6,), "trivial"),
        ((1, 1, 1, 1, 1, 1), "sign"),
        ((5, 1), "standard"),
        ((2, 1, 1, 1, 1), "standard_sign"),
        ((3, 3), "5d_a"),
        ((2, 2, 2), "5d_b"),
        ((4, 2), "9d_a"),
        ((2, 2, 1, 1), "9d_b"),
        ((4, 1, 1), "10d_a"),
        ((3, 1, 1, 1), "10d_b"),
        ((3, 2, 1), "16d"),
    ]
    assert partition_names(7)[4, 1, 1, 1] == "20d"
    assert len(set(partition_names(7).values())) == 15
