"""Groups in files: multiplication tables, and generators as permutations."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from repjax.groups.group import Group, first_repeated
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
    try:
        is_file = path.is_file()
    except OSError as error:  # such as a name that is too long
        raise ValueError(f"'{path}': {error.strerror}") from None
    if not is_file:
        raise ValueError(f"'{path}' is not a file")
    kind = "list of generators" if path.suffix in GENERATORS else "table of a group"
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:  # np.load would also open archives
                table = np.lib.format.read_array(file, allow_pickle=False)
            labels = None
        else:
            lines = _lines(_decode(path.read_bytes()))
            if path.suffix in GENERATORS:
                generators = _read_generators(lines)
                elements, table = generate(images_of(generators), largest)
                names = _in_cycles(elements, points_of(generators))
                return Group(path.stem, table, elements=names)
            table, labels = _read_table(lines)
    except (ValueError, OSError, EOFError, MemoryError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(f"'{path}' is not a {kind}: {reason}") from None
    group = Group.from_table(str(path), table, labels)  # errors name the whole path
    return replace(group, name=path.stem)


Lines = list[tuple[int, str]]
"""Line numbers, from 1, with the lines that are not blank."""


def _decode(data: bytes) -> str:
    """Return UTF-8 text, without a byte-order mark."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        *complete, begun = (before + "?").splitlines()
        raise ValueError(
            f"line {len(complete) + 1}, column {len(begun)}: byte "
            f"0x{data[error.start]:02x} is not UTF-8"
        ) from None


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
        _check_distinct(numbers, [line for line, _ in lines], 1, range(len(numbers)))
        return numbers, None
    header, beside, body = _split_labels(lines, _cells(lines))
    labels = header or beside or body[0].tolist()
    _check_labels(lines, header, beside, labels)
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
    body_lines = [line for line, _ in lines[header is not None :]]
    _check_distinct(table, body_lines, 1 + (beside is not None), labels)
    if beside:  # rows may come in another order than columns
        table = table[[beside.index(label) for label in labels]]
    return table, tuple(labels)


def _check_distinct(
    table: np.ndarray, lines: Sequence[int], first_column: int, names: Sequence
) -> None:
    """Check that no row and no column of a table holds an element twice.

    Args:
        table: the table as it stands in the file.
        lines: number of the line of each row.
        first_column: number of the first column.
        names: labels of the elements, or their indices.
    """
    for kind, by_line in (("row", table), ("column", table.T)):
        for k, elements in enumerate(by_line):
            if (place := first_repeated(elements)) is not None:
                i, j = (k, place) if kind == "row" else (place, k)
                raise ValueError(
                    f"line {lines[i]}, column {j + first_column}: "
                    f"{names[table[i, j]]} again; each {kind} holds each element once"
                )


def _cells(lines: Lines) -> np.ndarray:
    """Return the cells as a rectangle of words; a missing corner is empty."""
    text = "".join(line for _, line in lines)
    separator = next((mark for mark in ";,\t" if mark in text), None)
    cells = [
        [cell.strip() for cell in line.strip("\r\n").split(separator)]
        for _, line in lines
    ]
    model = 0
    if len(cells) > 1 and len(cells[0]) == len(cells[1]) - 1:
        cells[0].insert(0, "")
        model = 1
    for (number, _), row in zip(lines, cells, strict=True):
        if (excess := len(row) - len(cells[0])) != 0:
            raise ValueError(
                f"line {number}, column {min(len(row), len(cells[0])) + 1}: the entry "
                f"is {'missing' if excess < 0 else 'too many'}; this line has "
                f"{len(row)}, line {lines[model][0]} has {len(cells[0])}"
            )
    return np.array(cells, dtype=object)


def _split_labels(
    lines: Lines, words: np.ndarray
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
    line, column = lines[columns if rows > columns else 0][0], min(rows, columns) + 1
    raise ValueError(
        f"line {line}, column {1 if rows > columns else column}: outside of a square; "
        f"there are {rows} lines of {columns} entries, use a square table"
    )


def _square_of_numbers(lines: Lines) -> np.ndarray | None:
    """Return a plain square table of indices, the usual and largest case; else None."""
    text = re.sub("[,;]", " ", "\n".join(line for _, line in lines))
    if re.search(r"[^-+0-9\s]", text):
        return None
    if any(len(line.split()) != len(lines) for line in text.splitlines()):
        return None
    try:
        table = np.loadtxt(text.splitlines(), dtype=np.int64, ndmin=2)
    except ValueError:  # such as 1-2 or 10^20
        table = None
    if table is None or table.min() < 0 or table.max() >= len(lines):
        for (number, _), line in zip(lines, text.splitlines(), strict=True):
            for column, word in enumerate(line.split(), 1):
                whole = re.fullmatch("[-+]?[0-9]{1,9}", word)
                if not whole or not 0 <= int(word) < len(lines):
                    raise ValueError(
                        f"line {number}, column {column}: {word} is not one of 0, …, "
                        f"{len(lines) - 1}"
                    )
    return table


def _check_labels(
    lines: Lines,
    header: list[str] | None,
    beside: list[str] | None,
    labels: list[str],
) -> None:
    """Check that labels are distinct, and that rows have those of the columns.

    Args:
        lines: lines of the file.
        header: labels of the columns, if the file has them.
        beside: labels of the rows, if the file has them.
        labels: names of the elements: one of these, or the first row of the table.
    """
    columns = enumerate(header or [] if beside else labels, 1 + (beside is not None))
    rows = enumerate(beside or [], header is not None)
    places = [
        [(lines[0][0], column, label) for column, label in columns],
        [(lines[row][0], 1, label) for row, label in rows],
    ]
    for axis in places:
        seen = set[str]()
        for line, column, label in axis:
            if label in seen:
                raise ValueError(
                    f"line {line}, column {column}: the label '{label}' occurs twice"
                )
            seen.add(label)
    if header is not None and beside is not None:
        for axis, others in zip(places, (beside, header), strict=True):
            for line, column, label in axis:
                if label not in others:
                    raise ValueError(
                        f"line {line}, column {column}: the label '{label}' is not "
                        "both of a row and of a column"
                    )


def _read_generators(lines: Lines) -> list[list[tuple[int, ...]]]:
    """Return the permutations in the lines of a file, as cycles.

    A line holds disjoint cycles, "(0 1 2)(3 4)", or the images of 0, 1, … or of
    1, 2, …; what follows # is a comment.
    """
    cycles = []
    first_points: dict[int, int] = {}  # 0 or 1, by the first line whose images do
    for number, line in lines:
        line = line.partition("#")[0]
        if not line.strip():
            continue
        try:
            if "(" in line:
                cycles.append(parse_cycles(line))
            else:
                cycles.append(_cycles_of_images(line))
                first = min(map(min, cycles[-1]))
                first_points.setdefault(first, number)
        except ValueError as error:
            raise ValueError(f"line {number}, {error}") from None
        if len(first_points) > 1:
            points = re.finditer("[0-9]+", line)
            column = next(1 + p.start() for p in points if int(p[0]) == first)
            raise ValueError(
                f"line {number}, column {column}: images begin at {first} here, at "
                f"{1 - first} in line {first_points[1 - first]}"
            )
    if not cycles:
        raise ValueError("it holds no permutation")
    return cycles


def _cycles_of_images(line: str) -> list[tuple[int, ...]]:
    """Return the cycles of the permutation whose images a line lists."""
    words = [*re.finditer(r"[^\s,;]+", line)]
    if not words:
        raise ValueError(f"column 1: '{line.strip()}' lists no point")
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
