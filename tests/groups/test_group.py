"""Tests of groups given by a table: axioms, bad tables, derived quantities."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repjax.groups import Group, build_group

NAMES = ["C1", "C2", "C6", "C7", "D3", "D6", "S3", "S4", "A4"]

# Each row and column once, an identity, every element its own inverse: yet no group,
# as 2*(3*4) = 2*1 = 4 and (2*3)*4 = 1*4 = 2.
LOOP = [
    [0, 1, 2, 3, 4],
    [1, 0, 3, 4, 2],
    [2, 4, 0, 1, 3],
    [3, 2, 4, 0, 1],
    [4, 3, 1, 2, 0],
]


@pytest.mark.parametrize("name", NAMES)
def test_axioms_hold_for_all_triples(name):
    """Associativity, identity and inverses, by brute force."""
    group = build_group(name)
    table, elements = group.table, np.arange(group.order)
    assert np.array_equal(table[table], table[:, table])  # (ab)c and a(bc)
    assert np.array_equal(table[group.identity], elements)
    assert np.array_equal(table[:, group.identity], elements)
    assert (table[elements, group.inverse] == group.identity).all()
    assert (table[group.inverse, elements] == group.identity).all()


@pytest.mark.parametrize("name", NAMES)
def test_from_table_accepts_every_named_group(name):
    """The checks pass on groups, and the copy is independent of the argument."""
    table = build_group(name).table.astype(np.int64)
    group = Group.from_table("copy", table)
    table[0, 0] += 1
    assert np.array_equal(group.table, build_group(name).table)
    assert group.table.dtype == np.int32
    assert group.family is None


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[0, 1], [1, 2]], r"not closed: entry \[1, 1\] is 2, not one of 0, …, 1"),
        ([[0, 1], [1, -1]], r"not closed: entry \[1, 1\] is -1"),
        ([[1, 2], [2, 1]], r"not closed: entry \[0, 1\] is 2"),
        (LOOP, r"not associative: \(\d\*\d\)\*\d != \d\*\(\d\*\d\)"),
        ([[1, 0], [0, 0]], "no element is a two-sided identity"),
        ([[0, 0], [1, 1]], "no element is a two-sided identity"),
        ([[0, 1], [0, 1]], "no element is a two-sided identity"),
        ([[0, 1], [1, 1]], "element 1 has no inverse"),
        ([[0, 1, 2], [1, 0, 0], [2, 0, 1]], "the row of 1 holds 0 twice"),
        ([[0, 1, 2], [1, 2, 0], [2, 0, 2]], "the row of 2 holds 2 twice"),
        ([[0, 1, 2], [1, 2, 0]], r"shape is \(2, 3\), not square"),
        ([0, 1], r"shape is \(2,\), not square"),
        (np.empty((0, 0), int), r"shape is \(0, 0\), not square"),
        ([[0.0, 1.0], [1.0, 0.0]], "entries are float64, not integers"),
        ([[False, True], [True, False]], "entries are bool, not integers"),
    ],
)
def test_bad_tables_are_refused_in_one_line(table, reason):
    """Each broken axiom has its own message, which names the table."""
    with pytest.raises(
        ValueError, match=f"^'X' is not a table of a group: .*{reason}"
    ) as e:
        Group.from_table("X", table)
    assert "\n" not in str(e.value)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES[1:]))
def test_one_wrong_entry_is_always_noticed(data, name):
    """No group table differs from another in a single entry."""
    table = build_group(name).table.copy()
    index = st.integers(0, len(table) - 1)
    a, b = data.draw(index), data.draw(index)
    shift = data.draw(st.integers(1, len(table) - 1))
    table[a, b] = (table[a, b] + shift) % len(table)
    with pytest.raises(ValueError, match="is not a table of a group"):
        Group.from_table("X", table)


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_the_orbits_of_conjugation(name):
    """Same class exactly if conjugate; numbered from the identity on."""
    group = build_group(name)
    table, inverse = group.table, group.inverse
    for a, b in product(range(group.order), repeat=2):
        conjugate = any(table[table[g, a], inverse[g]] == b for g in range(group.order))
        assert conjugate == (group.classes[a] == group.classes[b])
    assert group.classes[group.identity] == 0
    first_seen = list(dict.fromkeys(group.classes.tolist()))
    assert first_seen == sorted(first_seen)
    assert np.array_equal(group.class_sizes, np.unique_counts(group.classes).counts)
    commuting = (table == table.T).sum()
    assert len(group.class_sizes) * group.order == commuting  # Burnside
    assert group.is_abelian == (commuting == group.order**2)


def test_identity_need_not_be_the_first_element():
    """A table may list its elements in any order."""
    group = Group.from_table("C3", [[2, 0, 1], [0, 1, 2], [1, 2, 0]])
    assert group.identity == 1
    assert group.inverse.tolist() == [2, 1, 0]
    assert group.classes.tolist() == [1, 0, 2]
    assert group.element_orders.tolist() == [3, 1, 3]


def test_element_orders(quaternion_table):
    """Of C6, of S4 (1, 9 involutions, 8 of order 3, 6 of order 4) and of Q8."""
    assert build_group("C6").element_orders.tolist() == [1, 6, 3, 2, 3, 6]
    assert np.bincount(build_group("S4").element_orders).tolist() == [0, 1, 9, 8, 6]
    quaternions = Group.from_table("Q8", quaternion_table)
    assert quaternions.element_orders.tolist() == [1, 2, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("name", [*NAMES, "C118", "D59", "S5", "A5"])
def test_factorisations_reach_every_element_once(name):
    """From the identity and few generators, by products of elements known before."""
    group = build_group(name)
    assert 2 ** len(group.generators) <= group.order
    reached = [group.identity, *group.generators]
    for products, left, right in group.factorisations:
        assert np.isin([left, right], reached).all()
        assert np.array_equal(group.table[left, right], products)
        reached += products.tolist()
    assert sorted(reached) == list(range(group.order))


def test_shared_tables_cannot_be_written():
    """Groups are cached: a write would change them for everyone."""
    with pytest.raises(ValueError, match="read-only"):
        build_group("C5").table[0, 0] = 1
