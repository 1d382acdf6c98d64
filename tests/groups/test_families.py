"""Tests of groups by name and of table files."""

import math
import pickle
import subprocess
import sys
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from repjax.groups import build_group
from repjax.groups.families import build_permutations


@dataclass
class WritesOnLoad:
    """Unpickling an instance writes a file."""

    path: Path

    def __reduce__(self):
        """Asks pickle to call Path.touch."""
        return Path.touch, (self.path,)


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


@pytest.mark.parametrize(
    "name",
    [
        "Q7",
        "C0",
        "C05",
        "D1",
        "D2",
        "S0",
        "S8",
        "A8",
        "s5",
        "S5 ",
        "C",
        "",
        "C-1",
        "C٣",
        "C10001",
        "D5001",
        "C" + "9" * 5000,
    ],
)
def test_unknown_names_are_refused(name):
    """The message lists what is allowed."""
    with pytest.raises(ValueError, match="is not a known group") as error:
        build_group(name)
    assert str(error.value) == (
        f"'{name}' is not a known group; use C<n> (n <= 10000), D<n> (3 <= n <= 5000), "
        "S<n> (n <= 7), A<n> (n <= 7), or a table file (.npy, .csv, .txt)"
    )


def test_groups_are_built_once():
    """Later callers share what is cached per group."""
    assert build_group("D5") is build_group("D5")


@pytest.mark.parametrize("separator", [",", ", ", " ", "\t", "  ,"])
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_text_tables(tmp_path, quaternion_table, separator, suffix):
    """Commas or blanks, with or without a byte-order mark."""
    path = tmp_path / f"Q8{suffix}"
    lines = [separator.join(map(str, row)) for row in quaternion_table]
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    group = build_group(str(path))
    assert group.name == "Q8"
    assert np.array_equal(group.table, quaternion_table)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, ">i4"])
def test_npy_tables(tmp_path, quaternion_table, dtype):
    """Any integers will do."""
    path = tmp_path / "Q8.npy"
    np.save(path, quaternion_table.astype(dtype))
    assert np.array_equal(build_group(str(path)).table, quaternion_table)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("float.csv", b"0.0,1.0\n1.0,0.0", "could not convert string '0.0'"),
        ("word.txt", b"0 a\na 0", "could not convert string 'a'"),
        ("ragged.csv", b"0,1\n1", "columns changed from 2 to 1 at row 2$"),
        ("empty.csv", b"\n", "it is empty"),
        ("binary.txt", b"\xff\x00", "can't decode"),
        ("empty.npy", b"", "EOF"),
        ("text.npy", b"0,1\n1,0\n", "magic string"),
        ("missing.npy", None, "is not a file"),
        ("open.csv", b"0,1\n1,2", "not closed"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_bad_files_are_refused_in_one_line(tmp_path, file, content, reason):
    """The message names the file."""
    path = tmp_path / file
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        build_group(str(path))
    assert "\n" not in str(error.value)
    assert path.stem in str(error.value)


def test_pickles_are_never_run(tmp_path):
    """Neither inside an .npy file nor as one."""
    written, path = tmp_path / "written", tmp_path / "group.npy"
    payload = np.array([[WritesOnLoad(written)]], dtype=object)
    np.save(path, payload, allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        build_group(str(path))
    bare = tmp_path / "bare.npy"
    bare.write_bytes(pickle.dumps(WritesOnLoad(written)))
    with pytest.raises(ValueError, match="magic string"):
        build_group(str(bare))
    assert not written.exists()
    np.load(path, allow_pickle=True)
    assert written.exists(), "the payload would have run"


def test_groups_do_not_import_jax():
    """The package is exact and in NumPy: a report must not start an accelerator."""
    code = "import sys, repjax.groups; print('jax' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
