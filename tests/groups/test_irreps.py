"""Tests of the real irreps against published character tables and theorems."""

import time
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repjax.groups import Group, build_fourier, build_group, irreps, real_irreps
from repjax.groups.permutations import build_permutations
from repjax.groups.representations import extend_to_group, homomorphism_error
from tests.groups.published_characters import SYMMETRIC_TABLES

PHI = (1 + 5**0.5) / 2

EXACT = [
    *("C1", "C2", "C3", "C5", "C6", "C113", "C118", "D3", "D4", "D7", "D12", "D59"),
    *("D61", "S1", "S2", "S3", "S4", "S5", "S6", "A1", "A2", "A3", "A4", "A5", "A6"),
]
SMALL = ["C1", "C2", "C3", "C4", "C5", "D3", "D4", "D5", "S3", "A4"]


def cycle_type(images):
    """Lengths of the cycles of a permutation, longest first, as a string."""
    lengths, unseen = [], set(range(len(images)))
    while unseen:
        length, i = 0, min(unseen)
        while i in unseen:
            unseen.remove(i)
            i, length = int(images[i]), length + 1
        lengths.append(length)
    return "".join(map(str, sorted(lengths, reverse=True)))


def product_group(a, b):
    """The direct product, (x, y) at x·|b| + y."""
    left = np.repeat(np.repeat(a.table, b.order, axis=0), b.order, axis=1)
    table = left * b.order + np.tile(b.table, (a.order, a.order))
    return Group.from_table(f"{a.name}x{b.name}", table)


def relabel(group, order):
    """The same group with its elements listed in another order."""
    place = np.argsort(order)
    return Group.from_table("relabelled", place[group.table[np.ix_(order, order)]])


def assert_complete(group, found):
    """Everything that identifies a complete set of real irreps."""
    assert homomorphism_errors(group, found) <= 1e-10
    assert sum(irrep.num_functions for irrep in found) == group.order
    for irrep in found:
        transposed = irrep.matrices.transpose(0, 2, 1)
        np.testing.assert_allclose(
            irrep.matrices @ transposed,
            np.broadcast_to(np.eye(irrep.dim), irrep.matrices.shape),
            atol=1e-10,
        )
    # as many as classes of {g, g⁻¹}, with orthogonal characters
    classes = group.classes
    pairs = {frozenset(p) for p in zip(classes, classes[group.inverse], strict=True)}
    assert len(found) == len(pairs)
    characters = np.stack([irrep.character for irrep in found])
    multiplicity = {"real": 1, "complex": 2, "quaternionic": 4}
    expected = np.diag([multiplicity[irrep.type] for irrep in found])
    np.testing.assert_allclose(
        characters @ characters.T / group.order, expected, atol=1e-9
    )


def homomorphism_errors(group, found):
    """Over all generators and elements, and over random pairs."""
    a, b = np.random.default_rng(0).integers(group.order, size=(2, 200))
    return max(
        max(
            homomorphism_error(group, irrep.matrices),
            np.abs(
                irrep.matrices[a] @ irrep.matrices[b]
                - irrep.matrices[group.table[a, b]]
            ).max(),
        )
        for irrep in found
    )


@pytest.mark.parametrize("name", EXACT)
def test_named_groups(name):
    """Complete, exact, named without repetition, trivial first."""
    group = build_group(name)
    found = real_irreps(group)
    assert_complete(group, found)
    assert len({irrep.name for irrep in found}) == len(found)
    assert found[0].name == "trivial"
    np.testing.assert_allclose(found[0].matrices, 1)
    assert all(irrep.matrices.dtype == np.float64 for irrep in found)


@pytest.mark.parametrize("name", SYMMETRIC_TABLES)
def test_symmetric_character_tables(name):
    """Young's form, and the same table without its name, give the published values."""
    sizes, table = SYMMETRIC_TABLES[name]
    group = build_group(name)
    types = [cycle_type(images) for images in build_permutations(group.family[1])]
    assert {kind: types.count(kind) for kind in types} == sizes
    column = [list(sizes).index(kind) for kind in types]
    found = {irrep.name: irrep for irrep in real_irreps(group)}
    assert list(found) == list(table)
    for irrep_name, values in table.items():
        assert found[irrep_name].type == "real"
        np.testing.assert_allclose(
            found[irrep_name].character, np.array(values)[column], atol=1e-12
        )


def test_alternating_character_table():
    """A5: φ on the class of the cycle (0 1 2 3 4) belongs to 3d_a."""
    group, images = build_group("A5"), build_permutations(5, even=True)
    five_cycle = images.tolist().index([1, 2, 3, 4, 0])
    kinds = [cycle_type(x) for x in images]
    kinds = [
        "5'" if kind == "5" and group.classes[g] != group.classes[five_cycle] else kind
        for g, kind in enumerate(kinds)
    ]
    sizes = {"11111": 1, "221": 15, "311": 20, "5": 12, "5'": 12}
    assert {kind: kinds.count(kind) for kind in kinds} == sizes
    table = {
        "trivial": [1, 1, 1, 1, 1],
        "3d_a": [3, -1, 0, PHI, 1 - PHI],
        "3d_b": [3, -1, 0, 1 - PHI, PHI],
        "standard": [4, 0, 1, -1, -1],
        "5d_a": [5, 1, -1, 0, 0],
    }
    found = {irrep.name: irrep for irrep in real_irreps(group)}
    assert list(found) == list(table)
    column = [list(sizes).index(kind) for kind in kinds]
    for name, values in table.items():
        expected = np.array(values)[column]
        np.testing.assert_allclose(found[name].character, expected, atol=1e-12)


def test_quaternions_from_a_file(tmp_path, quaternion_table):
    """Q8 on 1, -1, ±i, ±j, ±k: four signs, and one irrep of quaternionic type."""
    path = tmp_path / "Q8.csv"
    np.savetxt(path, quaternion_table, fmt="%d", delimiter=",")
    group = build_group(str(path))
    found = real_irreps(group)
    assert_complete(group, found)
    assert [(irrep.name, irrep.type) for irrep in found] == [
        ("trivial", "real"),
        *((f"1d_{letter}", "real") for letter in "abc"),
        ("4d", "quaternionic"),
    ]
    np.testing.assert_allclose(
        [irrep.character for irrep in found],
        [
            [1, 1, 1, 1, 1, 1, 1, 1],
            [1, 1, 1, 1, -1, -1, -1, -1],
            [1, 1, -1, -1, 1, 1, -1, -1],
            [1, 1, -1, -1, -1, -1, 1, 1],
            [4, -4, 0, 0, 0, 0, 0, 0],
        ],
        atol=1e-12,
    )


def test_all_three_types_at_once(sl23_table):
    """SL(2, 3): dimensions and types as computed by GAP 4.16."""
    group = Group.from_table("SL(2,3)", sl23_table)
    found = real_irreps(group)
    assert_complete(group, found)
    assert sorted((irrep.dim, irrep.type) for irrep in found) == [
        (1, "real"),
        (2, "complex"),
        (3, "real"),
        (4, "complex"),
        (4, "quaternionic"),
    ]
    assert [irrep.name for irrep in found] == ["trivial", "2d", "3d", "4d_a", "4d_b"]


@pytest.mark.parametrize("n", [1, 2, 5, 12, 113, 118])
def test_cyclic_irreps(n):
    """freq_k rotates by 2πk/n: complex type, but for n/2, which is a sign."""
    found = real_irreps(build_group(f"C{n}"))
    assert [irrep.name for irrep in found] == [
        "trivial",
        *(f"freq_{k}" for k in range(1, n // 2 + 1)),
    ]
    for k, irrep in enumerate(found):
        is_sign = 2 * k in (0, n)
        assert irrep.type == ("real" if is_sign else "complex")
        assert irrep.dim == (1 if is_sign else 2)
        angles = 2 * np.pi * k * np.arange(n) / n
        np.testing.assert_allclose(
            irrep.character, irrep.dim * np.cos(angles), atol=1e-10
        )


@pytest.mark.parametrize("n", [3, 4, 5, 6, 59, 60])
def test_dihedral_irreps(n):
    """Signs by their values at r and s; freq_k has 2cos(2πk/n) at r and 0 at s."""
    found = {irrep.name: irrep for irrep in real_irreps(build_group(f"D{n}"))}
    signs = {"trivial": (1, 1), "sign": (1, -1)}
    if n % 2 == 0:
        signs |= {f"freq_{n // 2}_a": (-1, 1), f"freq_{n // 2}_b": (-1, -1)}
    frequencies = [f"freq_{k}" for k in range(1, (n + 1) // 2)]
    assert list(found) == [*signs, *frequencies]
    assert {irrep.type for irrep in found.values()} == {"real"}
    k = np.arange(n)
    for name, (at_r, at_s) in signs.items():
        expected = np.concatenate([at_r**k, at_s * at_r**k])
        np.testing.assert_allclose(found[name].character, expected, atol=1e-12)
    for i, name in enumerate(frequencies, 1):
        expected = np.concatenate([2 * np.cos(2 * np.pi * i * k / n), np.zeros(n)])
        np.testing.assert_allclose(found[name].character, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("A3", ["trivial", "2d"]),
        ("A4", ["trivial", "2d", "standard"]),
        ("A6", ["trivial", "standard", "5d", "8d_a", "8d_b", "9d", "10d"]),
    ],
)
def test_alternating_names(name, names):
    """The standard irrep counts fixed points, less one."""
    assert [irrep.name for irrep in real_irreps(build_group(name))] == names


def test_a7():
    """Order 2520, with a pair of complex conjugates of dimension 10."""
    group = build_group("A7")
    found = real_irreps(group)
    assert [(irrep.name, irrep.type) for irrep in found] == [
        ("trivial", "real"),
        ("standard", "real"),
        ("14d_a", "real"),
        ("14d_b", "real"),
        ("15d", "real"),
        ("20d", "complex"),
        ("21d", "real"),
        ("35d", "real"),
    ]
    assert homomorphism_errors(group, found) <= 1e-10
    assert sum(irrep.num_functions for irrep in found) == 2520


def test_s7():
    """Order 5040, the largest group by name: an irrep for each of 15 partitions."""
    group = build_group("S7")
    found = real_irreps(group)
    assert sorted(irrep.dim for irrep in found) == (
        [1, 1, 6, 6, 14, 14, 14, 14, 15, 15, 20, 21, 21, 35, 35]
    )
    assert {irrep.type for irrep in found} == {"real"}
    assert_complete(group, found)
    columns = build_fourier(group).matrix[:, ::7]
    gram = columns.T @ columns
    np.testing.assert_allclose(gram, np.eye(gram.shape[0]), atol=1e-12)


def test_s6_takes_seconds():
    """Irreps and Fourier matrix, without caches: 0.1 s on one core in 2026."""
    group = build_group("S6")
    start = time.perf_counter()
    real_irreps.__wrapped__(group)
    build_fourier.__wrapped__(group)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("name", ["S4", "S5", "A5"])
def test_any_table_gives_the_irreps_of_its_family(name):
    """Young's form and the decomposition of a bare table: the same characters."""
    named = build_group(name)
    bare = Group.from_table(name, named.table)
    assert bare.family is None
    expected = sorted(np.rint(1e6 * i.character).tolist() for i in real_irreps(named))
    found = sorted(np.rint(1e6 * i.character).tolist() for i in real_irreps(bare))
    assert found == expected


@settings(max_examples=25, deadline=None)
@given(
    names=st.sampled_from(list(combinations_with_replacement(SMALL, 2))),
    seed=st.integers(0, 2**32 - 1),
)
def test_relabelled_products(names, seed):
    """Irreps of a product are complete; listing its elements otherwise changes none."""
    group = product_group(*map(build_group, names))
    order = np.random.default_rng(seed).permutation(group.order)
    relabelled = relabel(group, order)
    original, found = real_irreps(group), real_irreps(relabelled)
    assert_complete(group, original)
    assert_complete(relabelled, found)
    assert found[0].name == "trivial"

    def fingerprint(irrep, elements):
        return irrep.dim, irrep.type, np.rint(1e6 * irrep.character[elements]).tolist()

    everything = np.arange(group.order)
    assert sorted(fingerprint(i, order) for i in original) == sorted(
        fingerprint(i, everything) for i in found
    )


@pytest.mark.parametrize("name", ["C12", "D6", "A5", "S4"])
def test_irreps_are_deterministic(name):
    """The same matrices, bit for bit, from the same table."""
    group = build_group(name)
    again = real_irreps.__wrapped__(group)
    for first, second in zip(real_irreps(group), again, strict=True):
        assert first.name == second.name
        assert np.array_equal(first.matrices, second.matrices)


class ConstantRandom:
    """A generator whose element is a multiple of 1: all its eigenvalues coincide."""

    def normal(self, size):
        """Zero but at the identity, here element 0."""
        return np.eye(size)[0]


@pytest.mark.parametrize(("name", "dims"), [("C3", [1, 2]), ("A4", [1, 2, 3])])
def test_close_eigenvalues_are_tried_again(monkeypatch, name, dims):
    """An element that separates nothing is replaced by the next.

    The whole regular representation passes for one irrep of real type in C3, and for
    none in A4.
    """
    group, default_rng = build_group(name), np.random.default_rng
    seeds = []

    def degenerate_first(seed):
        seeds.append(seed)
        return ConstantRandom() if seed == 0 else default_rng(seed)

    monkeypatch.setattr(irreps.np.random, "default_rng", degenerate_first)
    assert [irrep.dim for irrep in real_irreps.__wrapped__(group)] == dims
    assert seeds == [0, 1]
    monkeypatch.setattr(irreps.np.random, "default_rng", lambda _: ConstantRandom())
    with pytest.raises(RuntimeError, match="8 random elements"):
        real_irreps.__wrapped__(group)


@pytest.mark.parametrize("bound", ["DISTINCT_EIGENVALUES", "HOMOMORPHISM_TOLERANCE"])
def test_inexact_irreps_are_tried_again(monkeypatch, bound):
    """Round-off taken for a gap between eigenvalues, or for an error of the irreps."""
    monkeypatch.setattr(irreps, bound, 0.0)
    with pytest.raises(RuntimeError, match="8 random elements"):
        real_irreps.__wrapped__(build_group("A5"))


def test_homomorphism_error_sees_a_wrong_representation():
    """Images that break a relation of the group: a reflection in place of r."""
    group = build_group("C3")
    wrong = extend_to_group(group, {1: np.array([[0.0, 1.0], [1.0, 0.0]])})
    assert homomorphism_error(group, wrong) == 1


def test_shared_matrices_cannot_be_written():
    """Irreps are cached: a write would change them for everyone."""
    with pytest.raises(ValueError, match="read-only"):
        real_irreps(build_group("C5"))[1].matrices[0] = 0


@pytest.mark.parametrize("name", ["D4", "A5", "C12", "S4", "D7"])
def test_one_dimensional_irreps_and_rational_characters_are_exact(name):
    group = build_group(name)
    for irrep in real_irreps(group):
        if irrep.dim == 1:
            assert set(irrep.matrices.ravel()) <= {1.0, -1.0}
        whole = np.abs(irrep.character - np.rint(irrep.character)) < 1e-9
        assert (irrep.character[whole] == np.rint(irrep.character[whole])).all()
    assert (real_irreps(group)[0].matrices == 1).all()


@pytest.mark.parametrize(
    "name", ["C1", "C7", "C12", "D6", "S5", "A4", "Q8", "C7:C3", "SmallGroup(96,227)"]
)
def test_they_can_be_counted_without_being_computed(name):
    """Classes, of which one and its inverse count once."""
    group = build_group(name)
    assert group.num_real_irreps == len(real_irreps(group))
