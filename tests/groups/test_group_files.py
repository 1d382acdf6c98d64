"""Tests of groups in files: tables, with and without labels, and generators."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from repjax.groups import build_group
from repjax.groups.identify import are_isomorphic


@dataclass
class WritesOnLoad:
    """Unpickling an instance writes a file."""

    path: Path

    def __reduce__(self):
        """Asks pickle to call Path.touch."""
        return Path.touch, (self.path,)


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
        ("word.txt", b"0 1 2\n1 2 0\n2 0 b", "line 3, column 3: 'b' is neither an el"),
        (
            "ragged.csv",
            b"0,1,2\n1,2,0\n2,0",
            "line 3, column 3: the entry is missing; this ",
        ),
        ("more.csv", b"\n0,1\n\n1,0\n0,1,2", "line 5, column 3: the entry is too man"),
        ("corner.csv", b"a,b\na,a,b\nb,b", "line 3, column 3: .* line 2 has 3$"),
        (
            "long.csv",
            b"0,1\n1,0\n0,1\n1,0",
            "line 3, column 1: outside of a square; there",
        ),
        ("wide.csv", b"0,1,0,1\n1,0,1,0", "line 1, column 3: outside of a square; th"),
        (
            "twice.csv",
            b"*,a,a\na,a,a\na,a,a",
            "line 1, column 3: the label 'a' occurs twice",
        ),
        ("left.csv", b"*,a,b\na,a,b\na,b,a", "line 3, column 1: the label 'a' occ"),
        ("head.csv", b"a,a\n0,1\n1,0", "line 1, column 2: the label 'a' occurs twi"),
        ("side.csv", b"a,0,1\na,1,0", "line 2, column 1: the label 'a' occurs twi"),
        ("bare.csv", b"a,a\na,a", "line 1, column 2: the label 'a' occurs twice"),
        ("other.csv", b"*,a,b\na,a,b\nc,b,a", "line 1, column 3: the label 'b' is n"),
        ("above.csv", b"*,a,c\na,a,b\nb,b,a", "line 1, column 3: the label 'c' is n"),
        ("stray.csv", b"*,a,b\na,a,b\nb,b,x", "line 3, column 3: 'x' is neither"),
        (
            "row.csv",
            b"0,1,2\n1,2,0\n2,2,1",
            "^'[^']*row.csv' is not a table of a group: "
            "line 3, column 2: 2 again; each row holds each element once$",
        ),
        (
            "column.csv",
            b"0,1,2\n1,2,0\n\n1,0,2",
            "line 4, column 1: 1 again; each column",
        ),
        (
            "labels.csv",
            b"*,e,a,b\ne,e,a,b\nb,b,e,e\na,a,b,e",
            "line 3, column 4: e again",
        ),
        (
            "loop.txt",
            b"e a b c d\na e c d b\nb d e a c\nc b d e a\nd c a b e",
            r"loop.txt' is .* group: it is not asso.*: \(a\*a\)\*b != a\*\(a\*b\)$",
        ),
        ("none.perm", b"# nothing\n", "it holds no permutation"),
        ("cycle.perm", b"(0 1 2)\n(0 1", "line 2, column 1: expected a cycle"),
        ("point.perm", b"(0 1 2)\n(0 x)", "line 2, column 4: 'x' is not a point"),
        ("images.perm", b"1 2 0\n1 1 0", "line 2, column 3: 1 makes it no perm"),
        ("base.perm", b"2 3 4", "column 1: 2 makes it no permutation of 0, …, 2"),
        ("large.perm", b"(0 1 2 3 4 5 6 7)\n(0 1)", "more than 10000 elements"),
        ("empty.csv", b"\n", "it is empty"),
        ("binary.txt", b"\xff\x00", "line 1, column 1: byte 0xff is not UTF-8"),
        ("latin.csv", "e,é\r\né,".encode() + b"\xe9", "line 2, column 3: byte 0xe9"),
        ("latin.perm", b"\xef\xbb\xbf(0 1)\n(0 \xe9)", "line 2, column 4: byte 0xe9"),
        ("empty.npy", b"", "EOF"),
        ("text.npy", b"0,1\n1,0\n", "magic string"),
        ("missing.npy", None, "is not a file"),
        ("open.csv", b"0,1\n1,2", "line 2, column 2: 2 is not one of 0, …, 1"),
        ("signs.csv", b"0,1\n1-1,0", "line 2, column 1: 1-1 is not one of 0, …, 1"),
        ("huge.csv", b"0,1\n1,+%d" % 10**30, "line 2, column 2: .* is not one of 0"),
        ("comma.perm", b"(0 1)\n ,", "line 2, column 1: ',' lists no point"),
        ("mixed.perm", b"2 3 1\n1 0 2", "line 2, column 3: images begin at 0 here, at"),
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


KLEIN = ["e a b c", "a e c b", "b c e a", "c b a e"]


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", " ; "])
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("corner", [None, "*"])
@pytest.mark.parametrize("entries", ["labels", "indices"])
def test_labels_name_the_elements(tmp_path, separator, beside, corner, entries):
    """A header, with or without a column of labels, a corner, entries by name."""
    lines = KLEIN
    if entries == "indices":
        lines = [line.translate(str.maketrans("eabc", "0123")) for line in lines]
    header = "e a b c"
    if beside:
        lines = [f"{name} {line}" for name, line in zip("eabc", lines, strict=True)]
        header = f"{corner} {header}" if corner else header
    path = tmp_path / "klein.csv"
    text = "\n".join([header, *lines]).replace(" ", separator)
    path.write_text(text)
    group = build_group(str(path))
    assert group.elements == ("e", "a", "b", "c")
    a, b, c = (group.elements.index(name) for name in "abc")
    assert group.table[a, b] == c
    assert are_isomorphic(group, build_group("C2^2"))


def test_rows_may_come_in_another_order(tmp_path):
    """Columns number the elements."""
    path = tmp_path / "c3.csv"
    path.write_text(";e;r;q\nq;q;e;r\ne;e;r;q\nr;r;q;e\n")
    group = build_group(str(path))
    assert group.elements == ("e", "r", "q")
    assert group.table.tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]


def test_words_without_a_header(tmp_path):
    """The first row, the identity's, lists the elements."""
    path = tmp_path / "klein.txt"
    path.write_text("\n".join(KLEIN))
    group = build_group(str(path))
    assert group.elements == ("e", "a", "b", "c")
    assert group.table[1].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    "text",
    [
        "(0 1 2 3)\n(0 2)",
        "(1,2,3,4)  # a rotation\n\n(1,3)",
        "1 2 3 0\n2 1 0 3",
        "2, 3, 4, 1\n3, 2, 1, 4",
        "(1 2 3 4)\n3 2 1 4",
    ],
)
def test_generators(tmp_path, text):
    """Cycles or images, from 0 or from 1, with comments; elements are cycles."""
    path = tmp_path / "square.perm"
    path.write_text(text)
    group = build_group(str(path))
    assert group.name == "square"
    assert are_isomorphic(group, build_group("D4"))
    assert group.elements[0] == "()"
    assert len({*group.elements}) == 8


def test_cycle_names_are_of_the_points_given(tmp_path):
    """Not of the numbers that stand for them inside."""
    path = tmp_path / "c3.perm"
    path.write_text("(5 7 9)")
    assert build_group(str(path)).elements == ("()", "(5 7 9)", "(5 9 7)")
