"""Groups in files: multiplication tables, and generators as permutations."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from repjax.groups.group import Group
from repjax.groups.permutations import (
    Images,
    cycles_of,
    generate,
    images_of,
    parse_cycles,
    points_of,
)

TABLES = (".npy", ".csv", ".txt")
GENERATORS = (".perm",)
SUFFIXES = (*TABLES, *GENERATORS)


def is_group_file(name: str) -> bool:
    """Return whether the name of a group is that of a file, by its suffix."""
    return Path(name).suffix in SUFFIXES


def read_group(path: Path, largest: int) -> Group:
    """Return the group in a file, called by the file's stem.

    Args:
        path: a multiplication table (.npy, .csv, .txt) or generators (.perm).
        largest: greatest order that generators may give.

    Raises:
        ValueError: the file holds no group; the message is one line and names the file,
            with line and column where text is at fault.
    """
    if not path.is_file():
        raise ValueError(f"'{path}' is not a file")
    kind = "list of generators" if path.suffix in GENERATORS else "table of a group"
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:  # np.load would also open archives
                table = np.lib.format.read_array(file, allow_pickle=False)
            labels = None
        else:
            lines = _lines(path.read_text(encoding="utf-8-sig"))
            if path.suffix in GENERATORS:
                generators = _read_generators(lines)
                elements, table = generate(images_of(generators), largest)
                names = _in_cycles(elements, points_of(generators))
                return Group(path.stem, table, elements=names)
            table, labels = _read_table(lines)
    except (ValueError, OSError, EOFError, MemoryError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(f"'{path}' is not a {kind}: {reason}") from None
    return Group.from_table(path.stem, table, labels)


Lines = list[tuple[int, str]]
"""Line numbers, from 1, with the lines that are not blank."""


def _lines(text: str) -> Lines:
    lines = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    return lines


def _read_table(lines: Lines) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return the table in the lines of a text file, and its labels if it has any.

    Cells are separated by semicolons, else by commas, else by tabs, else by blanks. A
    first row, a first column or both may hold labels of the elements; entries are then
    these labels, or indices. Words without a header are elements, too: the first row
    lists them, since it is that of the identity.
    """
    numbers = _square_of_numbers(lines)
    if numbers is not None:
        return numbers, None
    header, beside, body = _split_labels(_cells(lines))
    labels = header or beside or body[0].tolist()
    _check_labels(labels, beside or labels)
    known = {label: k for k, label in enumerate(labels)}
    if not {*body.flat} <= known.keys() and all(word.isdecimal() for word in body.flat):
        known = {str(k): k for k in range(len(labels))}
    table = np.empty(body.shape, np.int64)
    for (i, j), word in np.ndenumerate(body):
        if word not in known:
            line = lines[i + (header is not None)][0]
            some = f"{', '.join(labels[:4])}{', …' * (len(labels) > 4)}"
            raise ValueError(
                f"line {line}, column {j + 1 + (beside is not None)}: '{word}' is "
                f"neither an element ({some}) nor an index (0 to {len(labels) - 1})"
            )
        table[i, j] = known[word]
    if beside:  # rows may come in another order than columns
        table = table[[beside.index(label) for label in labels]]
    return table, tuple(labels)


def _cells(lines: Lines) -> np.ndarray:
    """Return the cells as a rectangle of words; a missing corner is empty."""
    text = "".join(line for _, line in lines)
    separator = next((mark for mark in ";,\t" if mark in text), None)
    cells = [
        [cell.strip() for cell in line.strip("\r\n").split(separator)]
        for _, line in lines
    ]
    if len(cells) > 1 and len(cells[0]) == len(cells[1]) - 1:
        cells[0].insert(0, "")
    for (number, _), row in zip(lines, cells, strict=True):
        if len(row) != len(cells[0]):
            raise ValueError(
                f"line {number} has {len(row)} entries, line {lines[0][0]} has "
                f"{len(cells[0])}"
            )
    return np.array(cells, dtype=object)


def _split_labels(
    words: np.ndarray,
) -> tuple[list[str] | None, list[str] | None, np.ndarray]:
    """Return the labels of columns and of rows, where there are any, and the rest.

    A square has both if the cell in its corner belongs to no element: it is empty, or a
    word that occurs nowhere else.
    """
    rows, columns = words.shape
    corner = words[0, 0]
    alone = not corner.isdecimal() and (words == corner).sum() == 1
    if rows == columns and rows > 1 and alone:
        return words[0, 1:].tolist(), words[1:, 0].tolist(), words[1:, 1:]
    if rows == columns:
        return None, None, words
    if rows == columns + 1:
        return words[0].tolist(), None, words[1:]
    if columns == rows + 1:
        return None, words[:, 0].tolist(), words[:, 1:]
    raise ValueError(f"it has {rows} lines of {columns} entries; use a square table")


def _square_of_numbers(lines: Lines) -> np.ndarray | None:
    """Return a plain square table of indices, the usual and largest case; else None."""
    text = re.sub("[,;]", " ", "\n".join(line for _, line in lines))
    if re.search(r"[^-+0-9\s]", text):
        return None
    if any(len(line.split()) != len(lines) for line in text.splitlines()):
        return None
    table = np.loadtxt(text.splitlines(), dtype=np.int64, ndmin=2)
    outside = np.argwhere((table < 0) | (table >= len(table)))
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"line {lines[row][0]}, column {column + 1}: {table[row, column]} is not "
            f"one of 0, …, {len(table) - 1}"
        )
    return table


def _check_labels(labels: list[str], beside: list[str]) -> None:
    """Check that labels are distinct, and that rows have those of the columns."""
    for given in (labels, beside):
        twice = [label for label, times in Counter(given).items() if times > 1]
        if twice:
            raise ValueError(f"the label '{twice[0]}' occurs twice")
    for label in set(labels) ^ set(beside):
        raise ValueError(f"the label '{label}' is not both of a row and of a column")


def _read_generators(lines: Lines) -> list[list[tuple[int, ...]]]:
    """Return the permutations in the lines of a file, as cycles.

    A line holds disjoint cycles, "(0 1 2)(3 4)", or the images of 0, 1, … or of
    1, 2, …; what follows # is a comment.
    """
    cycles = []
    first_points = set[int]()
    for number, line in lines:
        line = line.partition("#")[0]
        if not line.strip():
            continue
        try:
            if "(" in line:
                cycles.append(parse_cycles(line))
            else:
                cycles.append(_cycles_of_images(line))
                first_points.add(min(map(min, cycles[-1])))
        except ValueError as error:
            raise ValueError(f"line {number}, {error}") from None
        if len(first_points) > 1:
            raise ValueError(
                f"line {number}: images begin at 0 in one line, at 1 in another"
            )
    if not cycles:
        raise ValueError("it holds no permutation")
    return cycles


def _cycles_of_images(line: str) -> list[tuple[int, ...]]:
    """Return the cycles of the permutation whose images a line lists."""
    words = [*re.finditer(r"[^\s,;]+", line)]
    for word in words:
        if not re.fullmatch(r"[0-9]{1,9}", word[0]):
            raise ValueError(
                f"column {word.start() + 1}: '{word[0]}' is not a point; "
                "use cycles such as (0 1 2), or the images of 0, 1, …"
            )
    images = [int(word[0]) for word in words]
    first = min(images)
    seen = set[int]()
    for word, image in zip(words, images, strict=True):
        if first > 1 or image >= first + len(images) or image in seen:
            raise ValueError(
                f"column {word.start() + 1}: {image} makes it no permutation of "
                f"0, …, {len(images) - 1} or 1, …, {len(images)}"
            )
        seen.add(image)
    return cycles_of(dict(enumerate(images, first)))


def _in_cycles(elements: Images, points: list[int]) -> tuple[str, ...]:
    """Return permutations in cycle notation, "()" for the identity."""
    names = []
    for row in elements.tolist():
        image_of = {points[k]: points[image] for k, image in enumerate(row)}
        moved = [cycle for cycle in cycles_of(image_of) if len(cycle) > 1]
        text = "".join(f"({' '.join(map(str, cycle))})" for cycle in moved)
        names.append(text or "()")
    return tuple(names)
