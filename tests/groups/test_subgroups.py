"""Subgroups against published counts, brute force and the definitions."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from repjax.groups import Group, build_group
from repjax.groups.subgroups import (
    TooManySubgroups,
    left_cosets,
    right_cosets,
    subgroups,
)
from tests.small_groups import quaternion_group

# Not `import … as`: the package may export the function under the name of the module.
MODULE = importlib.import_module("repjax.groups.subgroups")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Where results are stored during a test; it does not exist yet."""
    monkeypatch.setenv("REPJAX_CACHE", str(tmp_path / "stored"))
    return tmp_path / "stored"


@pytest.fixture
def store_all(monkeypatch) -> None:
    """Store every result, however fast it was found."""
    monkeypatch.setattr(MODULE, "WORTH_STORING", -1.0)


def psl27() -> Group:
    """PSL(2, 7), from x + 1 and -1/x on the points 0, …, 6 and 7 for infinity."""
    generators = [(1, 2, 3, 4, 5, 6, 0, 7), (7, 6, 3, 2, 5, 4, 1, 0)]
    elements = [tuple(range(8))]
    for x in elements:
        products = (tuple(g[i] for i in x) for g in generators)
        elements += [y for y in products if y not in elements]
    index = {x: k for k, x in enumerate(elements)}
    table = [[index[tuple(y[i] for i in x)] for y in elements] for x in elements]
    return Group.from_table("PSL(2,7)", table)


def elementary_abelian(rank: int) -> Group:
    """C2^rank: bitwise exclusive or."""
    elements = np.arange(2**rank)
    return Group.from_table(f"C2^{rank}", elements[:, None] ^ elements)


def relabelled(name: str) -> tuple[Group, np.ndarray]:
    """A group with its elements in random order, and the new index of each."""
    group = build_group(name)
    new = np.random.default_rng(1).permutation(group.order)
    old = np.argsort(new)
    return Group.from_table(name, new[group.table[np.ix_(old, old)]]), new


def group_of(name: str) -> Group:
    """The group of a test; that in random order has its identity elsewhere."""
    if name == "S4 relabelled":
        return relabelled("S4")[0]
    return quaternion_group() if name == "Q8" else build_group(name)


def fresh(name: str) -> Group:
    """A group that no cache in memory knows."""
    return Group(name, build_group(name).table.copy())


def as_sets(members: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(row).tolist()) for row in members}


def assert_same(found, expected) -> None:
    for name in ("members", "orders", "class_of", "is_normal"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


@pytest.mark.parametrize(
    ("name", "num_subgroups", "num_classes", "num_normal"),
    [
        ("C1", 1, 1, 1),
        ("S3", 6, 4, 3),
        ("A4", 10, 5, 3),
        ("S4", 30, 11, 4),
        ("A5", 59, 9, 2),
        ("S5", 156, 19, 3),
        ("A6", 501, 22, 2),
        ("S6", 1455, 56, 3),
        ("Q8", 6, 6, 6),
    ],
)
def test_published_counts(name, num_subgroups, num_classes, num_normal):
    found = subgroups(group_of(name))
    assert len(found.members) == num_subgroups
    assert found.class_of.max() + 1 == num_classes
    assert found.is_normal.sum() == num_normal


def test_simple_group_of_order_168():
    found = subgroups(psl27())
    assert (len(found.members), found.class_of.max() + 1) == (179, 15)
    assert found.orders[found.is_normal].tolist() == [1, 168]


@pytest.mark.parametrize(
    ("rank", "num_subspaces"), [(1, 2), (2, 5), (3, 16), (4, 67), (5, 374)]
)
def test_subspaces_over_the_field_of_two_elements(rank, num_subspaces):
    found = subgroups(elementary_abelian(rank))
    assert len(found.members) == num_subspaces
    assert found.is_normal.all()


@pytest.mark.parametrize("n", [2, 9, 12, 97, 1000])
def test_cyclic_group_has_one_subgroup_for_each_divisor(n):
    assert subgroups(build_group(f"C{n}")).orders.tolist() == divisors(n)


@pytest.mark.parametrize("n", [3, 4, 12, 59, 61, 500])
def test_dihedral_group(n):
    """τ(n) groups of rotations and, for each d | n, n/d dihedral ones of order 2d."""
    orders = [*divisors(n), *(2 * d for d in divisors(n) for _ in range(n // d))]
    assert subgroups(build_group(f"D{n}")).orders.tolist() == sorted(orders)


@pytest.mark.parametrize("name", ["C12", "D4", "D6", "A4", "S4", "Q8", "S4 relabelled"])
def test_brute_force_finds_the_same(name):
    """Joins of any two subgroups, one product at a time, until there is no new one."""
    group = group_of(name)

    def closure(elements: frozenset[int]) -> frozenset[int]:
        while True:
            products = frozenset(
                int(group.table[a, b]) for a in elements for b in elements
            )
            if products == elements:
                return elements
            elements |= products

    cyclic = {closure(frozenset({g, group.identity})) for g in range(group.order)}
    expected, new = set(cyclic), set(cyclic)
    while new:
        new = {closure(a | b) for a in new for b in cyclic} - expected
        expected |= new
    found = subgroups(group)
    assert as_sets(found.members) == expected
    assert len(found.members) == len(expected)


def test_names_of_elements_do_not_matter():
    group, new = relabelled("S5")
    assert group.identity != 0
    expected = {
        frozenset(new[list(subgroup)].tolist())
        for subgroup in as_sets(subgroups(build_group("S5")).members)
    }
    assert as_sets(subgroups(group).members) == expected


@pytest.mark.parametrize("name", ["A6", "D12", "Q8", "S5", "S4 relabelled"])
def test_each_is_a_subgroup(name):
    group = group_of(name)
    found = subgroups(group)
    assert found.members[:, group.identity].all()
    for members, order in zip(found.members, found.orders, strict=True):
        elements = np.flatnonzero(members)
        assert members[group.table[np.ix_(elements, elements)]].all()
        assert len(elements) == order
        assert group.order % order == 0


@pytest.mark.parametrize("name", ["S5", "D12", "Q8", "S4 relabelled"])
def test_classes_are_orbits_under_conjugation(name):
    """Conjugation by all elements meets the class; its size is that of G / N(H)."""
    group = group_of(name)
    found = subgroups(group)
    number = {row.tobytes(): k for k, row in enumerate(found.members)}
    sizes = np.bincount(found.class_of)
    for k, members in enumerate(found.members):
        images = []
        for g in range(group.order):
            conjugate = np.zeros_like(members)
            conjugate[group.table[group.table[g, members], group.inverse[g]]] = True
            images.append(number[conjugate.tobytes()])
        assert set(found.class_of[images]) == {found.class_of[k]}
        assert len(set(images)) == sizes[found.class_of[k]]
        assert sizes[found.class_of[k]] * images.count(k) == group.order
        assert found.is_normal[k] == (images.count(k) == group.order)


@pytest.mark.parametrize("name", ["S5", "D12", "S4 relabelled"])
def test_order_is_canonical(name):
    """By order, then by elements; classes by their first subgroups."""
    group = group_of(name)
    found = subgroups(group)
    keys = [
        (order, np.flatnonzero(members).tolist())
        for order, members in zip(found.orders, found.members, strict=True)
    ]
    assert keys == sorted(keys)
    assert found.orders[[0, -1]].tolist() == [1, group.order]
    assert [*dict.fromkeys(found.class_of.tolist())] == [
        *range(max(found.class_of) + 1)
    ]


def test_result_is_shared_and_read_only():
    group = build_group("S3")
    found = subgroups(group)
    assert subgroups(group) is found
    for array in (found.members, found.orders, found.class_of, found.is_normal):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("name", ["S4", "S4 relabelled", "Q8", "C12"])
def test_cosets(name):
    """Each is {gh} or {hg}, and a coset with a smaller element has a smaller index."""
    group = group_of(name)
    for members in subgroups(group).members:
        left, right = left_cosets(group, members), right_cosets(group, members)
        for g in range(group.order):
            assert set(np.flatnonzero(left == left[g])) == set(group.table[g, members])
            assert set(np.flatnonzero(right == right[g])) == set(
                group.table[members, g]
            )
        for cosets in (left, right):
            num_cosets = group.order // members.sum()
            assert [*dict.fromkeys(cosets.tolist())] == [*range(num_cosets)]


def test_left_and_right_cosets_agree_for_normal_subgroups_alone():
    group = build_group("S4")
    found = subgroups(group)
    for members, is_normal in zip(found.members, found.is_normal, strict=True):
        left, right = left_cosets(group, members), right_cosets(group, members)
        assert np.array_equal(left, right) == is_normal


def test_too_many(monkeypatch):
    monkeypatch.setattr(MODULE, "MAX_SUBGROUPS", 67)
    assert len(subgroups(elementary_abelian(4)).members) == 67
    monkeypatch.setattr(MODULE, "MAX_SUBGROUPS", 66)
    with pytest.raises(TooManySubgroups) as error:
        subgroups(elementary_abelian(4))
    assert str(error.value) == (
        "'C2^4' has more than 66 subgroups, the limit; choose a group with fewer, or "
        "raise MAX_SUBGROUPS in repjax/groups/subgroups.py"
    )


@pytest.mark.usefixtures("store_all")
def test_stored_result_is_the_same(folder, monkeypatch):
    expected = subgroups(fresh("S4"))
    assert [file.suffix for file in folder.iterdir()] == [".npz"]
    monkeypatch.setattr(MODULE, "_find_subgroups", None)
    assert_same(subgroups(fresh("S4")), expected)
    wider = Group("S4", build_group("S4").table.astype(np.int64))
    assert_same(subgroups(wider), expected)


@pytest.mark.usefixtures("store_all")
def test_each_table_has_its_own_file(folder):
    """Also where name and order are the same."""
    relabelled_result = subgroups(relabelled("S4")[0])
    assert_same(subgroups(fresh("S4")), subgroups(build_group("S4")))
    assert len({*folder.iterdir()}) == 2
    assert not np.array_equal(
        relabelled_result.members, subgroups(build_group("S4")).members
    )


@pytest.mark.usefixtures("store_all")
def test_stored_result_does_not_lift_the_limit(monkeypatch):
    subgroups(fresh("S4"))
    monkeypatch.setattr(MODULE, "MAX_SUBGROUPS", 29)
    with pytest.raises(TooManySubgroups):
        subgroups(fresh("S4"))


def npz_of_another_group(file: Path) -> None:
    np.savez(file, packed=np.zeros((3, 9), np.uint8), class_of=np.arange(3))


DAMAGE = {
    "empty": lambda file: file.write_bytes(b""),
    "no archive": lambda file: file.write_bytes(b"no archive"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-200]),
    "other names": lambda file: np.savez(file, members=np.eye(3)),
    "other shape": npz_of_another_group,
    "other type": lambda file: np.savez(
        file, packed=np.zeros((30, 3)), class_of=np.arange(30)
    ),
}


@pytest.mark.usefixtures("store_all")
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_replaced(folder, damage):
    expected = subgroups(fresh("S4"))
    (file,) = folder.iterdir()
    content = file.read_bytes()
    damage(file)
    assert file.read_bytes() != content
    assert_same(subgroups(fresh("S4")), expected)
    assert_same(MODULE._read_stored(fresh("S4")), expected)
    assert [*folder.iterdir()] == [file]


@pytest.mark.usefixtures("store_all")
def test_changed_byte_is_noticed(folder):
    """Wherever it is: what is read is right or nothing."""
    expected = subgroups(fresh("S3"))
    (file,) = folder.iterdir()
    content = file.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x10
        file.write_bytes(changed)
        found = MODULE._read_stored(fresh("S3"))
        if found is not None:
            assert_same(found, expected)


@pytest.mark.usefixtures("store_all")
def test_file_that_cannot_be_read_or_written(folder):
    folder.write_text("a file where the folder should be")
    assert len(subgroups(fresh("S4")).members) == 30
    folder.unlink()
    MODULE._stored_file(fresh("S4")).mkdir(parents=True)
    assert len(subgroups(fresh("S4")).members) == 30


@pytest.mark.usefixtures("store_all")
def test_failed_write_leaves_nothing_behind(folder, monkeypatch):
    def fail(source, target):
        assert Path(source).is_file()
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    assert len(subgroups(fresh("S4")).members) == 30
    assert [*folder.iterdir()] == []


def test_quick_results_are_not_stored(folder):
    subgroups(fresh("S4"))
    assert not folder.exists()


@pytest.mark.usefixtures("store_all")
def test_place_of_the_file(tmp_path, monkeypatch):
    """REPJAX_CACHE, then XDG_CACHE_HOME, then the home directory, then none."""

    def stored() -> set[str]:
        subgroups(fresh("S3"))
        return {
            str(file.parent.relative_to(tmp_path)) for file in tmp_path.rglob("*.npz")
        }

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert stored() == {"stored"}
    monkeypatch.setenv("REPJAX_CACHE", "")
    assert stored() == {"stored", "xdg/repjax"}
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert stored() == {"stored", "xdg/repjax", "home/.cache/repjax"}

    def no_home():
        raise RuntimeError("no home directory")

    monkeypatch.setattr(Path, "home", no_home)
    assert stored() == {"stored", "xdg/repjax", "home/.cache/repjax"}
