"""Tests of groups by name."""

import math
import subprocess
import sys

import numpy as np
import pytest

from repjax.groups import Group, build_group
from repjax.groups.facts import is_nilpotent, is_solvable
from repjax.groups.identify import are_isomorphic, identify
from repjax.groups.names import KNOWN, folder_name, tidy


@pytest.mark.parametrize(
    ("name", "order"),
    [
        *((f"C{n}", n) for n in (1, 2, 3, 112, 113)),
        *((f"D{n}", 2 * n) for n in (3, 4, 59, 60)),
        *((f"S{n}", math.factorial(n)) for n in range(1, 7)),
        *((f"A{n}", max(1, math.factorial(n) // 2)) for n in range(1, 7)),
    ],
)
def test_orders(name, order):
    """Each family at its ends, each with the identity first."""
    group = build_group(name)
    assert (group.name, group.order, group.identity) == (name, order, 0)
    assert group.table.shape == (order, order)
    assert group.table.dtype == np.int32
    assert group.family == (name[0], int(name[1:]))


def test_cyclic_order_of_elements():
    """Element k is the k-th power of the generator."""
    table = build_group("C12").table
    assert all(table[a, b] == (a + b) % 12 for a in range(12) for b in range(12))


@pytest.mark.parametrize("n", [3, 4, 7])
def test_dihedral_order_of_elements(n):
    """r^k is at k, r^k s at n + k, and s r = r⁻¹ s."""
    group = build_group(f"D{n}")
    r, s = 1, n
    power = 0
    for k in range(n):
        assert power == k
        assert group.table[power, s] == n + k
        power = group.table[power, r]
    assert power == group.identity == group.table[s, s]
    assert group.table[s, r] == group.table[group.inverse[r], s]


@pytest.mark.parametrize(
    "name",
    [
        "C2x",
        "xC2",
        "(C2",
        "C2)",
        "C2^",
        "C2^0",
        "C2^3^2",
        "C2wrS2wrS2",
        "M12",
        "SmallGroup(8)",
        "SmallGroup(0,1)",
        "C05",
        "C",
        "",
        "C-1",
        "C٣",
        "S5 A5",
        "dihihih",
        "x" * 5000,
    ],
)
def test_unknown_names_are_refused(name):
    """The message lists what is allowed."""
    with pytest.raises(ValueError, match="is not a known group") as error:
        build_group(name)
    assert str(error.value) == f"'{name}' is not a known group; use {KNOWN}"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("s5", "did you mean S5?"),
        ("S5 ", "did you mean S5?"),
        ("Z12", "did you mean C12?"),
        ("Sym5", "did you mean S5?"),
        ("psl(2, 7)", "did you mean PSL(2,7)?"),
        ("smallgroup(21,1)", "did you mean SmallGroup(21,1)?"),
        ("z2 × C4", "did you mean C2xC4?"),
        ("s3WRc2", "did you mean S3wrC2?"),
        ("D1", "D1 is C2"),
        ("d2", "D2 is C2xC2"),
        ("Q4", "Q4 is C4"),
        ("Dic1", "Dic1 is C4"),
        ("Q7", "Q<n> goes from Q8 to Q10000 in steps of 4"),
        ("Q10", "Q<n> goes from Q8 to Q10000 in steps of 4"),
        ("C0", "C<n> goes from C1 to C10000"),
        ("C10001", "C<n> goes from C1 to C10000"),
        ("C10001xC2", "C<n> goes from C1 to C10000"),
        ("C" + "9" * 5000, "C<n> goes from C1 to C10000"),
        ("D5001", "D<n> goes from D3 to D5000"),
        ("S0", "S<n> goes from S1 to S7"),
        ("s9", "S<n> goes from S1 to S7"),
        ("S3xA8", "A<n> goes from A1 to A7"),
    ],
)
def test_what_was_meant_comes_before_the_list(name, hint):
    """Another spelling, a limit, or the usual name of the group."""
    with pytest.raises(ValueError, match="is not a known group") as error:
        build_group(name)
    assert str(error.value) == f"'{name}' is not a known group; {hint}"


def test_a_file_without_its_suffix_is_named(tmp_path, monkeypatch):
    """As `ls` may show it, or a person remember it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roots.csv").write_text("0\n")
    with pytest.raises(ValueError, match=r"group; did you mean roots\.csv\?$"):
        build_group("roots")


@pytest.mark.parametrize(
    ("name", "order", "classes", "small_group"),
    [
        ("Q8", 8, 5, "SmallGroup(8,4)"),
        ("Q16", 16, 7, "SmallGroup(16,9)"),
        ("Dic3", 12, 6, "SmallGroup(12,1)"),
        ("Heisenberg(3)", 27, 11, "SmallGroup(27,3)"),
        ("Heisenberg(2)", 8, 5, "SmallGroup(8,3)"),
        ("C7:C3", 21, 5, "SmallGroup(21,1)"),
        ("C8:C2(3)", 16, 7, "SmallGroup(16,8)"),  # semidihedral
        ("C8:C2(5)", 16, 10, "SmallGroup(16,6)"),  # modular
        ("C8:C2(7)", 16, 7, "SmallGroup(16,7)"),  # dihedral
        ("C13:C4", 52, 7, "SmallGroup(52,3)"),
        ("C3:C4", 12, 6, "SmallGroup(12,1)"),
        ("AGL(1,8)", 56, 8, "SmallGroup(56,11)"),
        ("AGL(1,9)", 72, 9, "SmallGroup(72,39)"),
        ("SL(2,3)", 24, 7, "SmallGroup(24,3)"),
        ("GL(2,3)", 48, 8, "SmallGroup(48,29)"),
        ("PSL(2,4)", 60, 5, "SmallGroup(60,5)"),
        ("PSL(2,5)", 60, 5, "SmallGroup(60,5)"),
        ("S3xS3", 36, 9, "SmallGroup(36,10)"),
        ("C2xC4", 8, 8, "SmallGroup(8,2)"),
        ("C2^3", 8, 8, "SmallGroup(8,5)"),
        ("(C2xC4)xC2", 16, 16, "SmallGroup(16,10)"),
        ("S3wrC2", 72, 9, "SmallGroup(72,40)"),
        ("C2wrC2", 8, 5, "SmallGroup(8,3)"),
        ("C2wrA4", 192, 16, None),
        ("C2wrD4", 128, 20, None),
        ("AGL(1,11)", 110, 11, None),
        ("PSL(2,7)", 168, 6, None),
        ("GL(3,2)", 168, 6, None),
        ("PSL(2,8)", 504, 9, None),
        ("PGL(2,9)", 720, 11, None),
        ("AGL(2,3)", 432, 11, None),
        ("GL(2,4)", 180, 15, None),
        ("A5xC2", 120, 10, None),
    ],
)
def test_names_stand_for_the_right_groups(name, order, classes, small_group):
    """Numbers of the Small Groups Library and of classes are those that GAP gives."""
    group = build_group(name)
    assert (group.name, group.order, group.identity) == (name, order, 0)
    assert group.table.dtype == np.int32
    Group.from_table(name, group.table)
    assert len(group.class_sizes) == classes
    entry = identify(group)
    assert (entry and entry.name) == small_group


def test_mathieu_group():
    """M11 is the only simple group of order 7,920; elements have orders up to 11."""
    group = build_group("M11")
    assert group.order == 7920
    assert np.bincount(group.element_orders).tolist() == [
        0, 1, 165, 440, 990, 1584, 1320, 0, 1980, 0, 0, 1440,
    ]  # fmt: skip
    assert not is_solvable(group)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PSL(2,7)", "GL(3,2)"),
        ("PSL(2,9)", "A6"),
        ("S2wrS4", "C2wrS4"),
        ("PGL(2,5)", "S5"),
        ("C2xC3", "C6"),
        ("Q12", "Dic3"),
        ("AGL(1,5)", "C5:C4"),
        ("AGL(2,2)", "S4"),
    ],
)
def test_names_of_one_group(one, other):
    """Classical isomorphisms."""
    assert are_isomorphic(build_group(one), build_group(other))


def test_dihedral_and_dicyclic_twins_differ():
    """Equal character tables, other groups."""
    assert not are_isomorphic(build_group("D52"), build_group("Dic26"))
    assert not are_isomorphic(build_group("D4"), build_group("Q8"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("C8:C2", "it has several actions; use C8:C2(3), C8:C2(5) or C8:C2(7)"),
        ("C7:C3(3)", "3 is no action; use C7:C3(2)"),
        ("C7:C5", "C5 has only the trivial action on C7; use C7xC5"),
        ("PSL(2,6)", "6 is not a prime power"),
        ("PSL(2,32)", "order 32736 is too large; use at most 10000"),
        ("AGL(1,101)", "order 10100 is too large; use at most 10000"),
        ("GL(1,5)", "use a dimension from 2 and a prime power q"),
        ("Heisenberg(22)", "order 10648 is too large; use at most 10000"),
        ("A7xC7", "order 17640 is too large; use at most 10000"),
        ("C2^14", "order 16384 is too large; use at most 10000"),
        ("C2wrC14", "order 2^14·14 is too large; use at most 10000"),
        ("C2wrQ8", "C<n>, D<n>, S<n> or A<n> stands after wr"),
        (
            "SmallGroup(8,6)",
            "SmallGroup(8,6) is not in the library; order 8 has SmallGroup(8,1) to "
            "SmallGroup(8,5)",
        ),
        (
            "SmallGroup(101,1)",
            "SmallGroup(101,1) is not in the library; use an order from 1 to 100",
        ),
    ],
)
def test_impossible_groups_are_refused_in_one_line(name, said):
    """The message says what is allowed."""
    with pytest.raises(ValueError) as error:
        build_group(name)
    assert str(error.value) == f"'{name}': {said}"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("S5", "S5"),
        ("SmallGroup(21,1)", "SmallGroup_21_1"),
        ("C8:C2(3)", "C8_C2_3"),
        ("C2^3", "C2_3"),
        ("(C2xC4)^2", "C2xC4_2"),
        ("tables/my group.csv", "my group"),
        ("generators.perm", "generators"),
    ],
)
def test_folders_have_plain_names(name, folder):
    """Brackets, colons and commas are work for a shell."""
    assert folder_name(name) == folder


def test_blanks_that_mean_nothing_are_dropped():
    """Others stay, so that an error shows what was written."""
    assert tidy("SmallGroup( 21, 1 )") == "SmallGroup(21,1)"
    assert tidy("C2 x (C4 wr C2)^ 2") == "C2x(C4wrC2)^2"
    assert tidy("S5 A5") == "S5 A5"
    assert tidy("my tables/C2 x C2.csv") == "my tables/C2 x C2.csv"


@pytest.mark.parametrize(
    ("name", "nilpotent", "solvable"),
    [
        ("C12", True, True),
        ("Q16", True, True),
        ("C3xQ8", True, True),
        ("S3", False, True),
        ("S4", False, True),
        ("A5", False, False),
        ("SL(2,5)", False, False),
        ("C7:C3", False, True),
        ("Heisenberg(5)", True, True),
    ],
)
def test_nilpotent_and_solvable(name, nilpotent, solvable):
    """Known from any textbook."""
    group = build_group(name)
    assert (is_nilpotent(group), is_solvable(group)) == (nilpotent, solvable)


def test_groups_are_built_once():
    """Later callers share what is cached per group."""
    assert build_group("D5") is build_group("D5")


def test_groups_do_not_import_jax():
    """The package is exact and in NumPy: a report must not start an accelerator."""
    code = "import sys, repjax.groups; print('jax' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
