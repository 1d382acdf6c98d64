"""Permutations: all of a degree, those that generators give, and cycle notation.

A permutation is the row of its images x(0), x(1), …, and the product xy applies x
first: (xy)(i) = y(x(i)).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Int

Images = Int[np.ndarray, "_ degree"]
Table = Int[np.ndarray, "group group"]


def build_permutations(degree: int, *, even: bool = False) -> Images:
    """Return all (or all even) permutations of a degree in lexicographic order.

    The identity is row 0.
    """
    images = np.array(list(permutations(range(degree))), np.int32)
    if not even:
        return images
    inversions = np.triu(images[:, :, None] > images[:, None, :]).sum(axis=(1, 2))
    return images[inversions % 2 == 0]


def permutation_table(images: Images) -> Table:
    """Return the multiplication table of all (even) permutations of a small degree.

    A permutation is coded by its images as digits; the code of xy is linear in the
    images of y, so one product of small matrices gives all codes (exact in float64).
    """
    degree = images.shape[1]
    digits = degree ** np.arange(degree)
    index_of_code = np.zeros(degree**degree, np.int32)
    index_of_code[images @ digits] = np.arange(len(images))
    digits_of_x = digits[np.argsort(images, axis=1)].astype(np.float64)
    codes = digits_of_x @ images.T.astype(np.float64)
    return index_of_code[codes.astype(np.int32)]


def generate(generators: Images, largest: int) -> tuple[Images, Table]:
    """Return the elements and the table of the group that permutations generate.

    Elements are in lexicographic order, so the numbering depends on the group alone and
    the identity is element 0.

    Args:
        generators: at least one permutation.
        largest: greatest order allowed.

    Raises:
        ValueError: the group has more elements than `largest`.
    """
    identity = np.arange(generators.shape[1], dtype=np.int32)
    found, frontier = {identity.tobytes()}, identity[None]
    while len(frontier):
        products = np.concatenate([generator[frontier] for generator in generators])
        new = {row.tobytes(): row for row in products if row.tobytes() not in found}
        found |= new.keys()
        if len(found) > largest:
            raise ValueError(f"it has more than {largest} elements")
        frontier = np.array([*new.values()], np.int32).reshape(-1, len(identity))
    elements = np.frombuffer(b"".join(found), np.int32).reshape(len(found), -1)
    elements = elements[np.lexsort(elements.T[::-1])]
    return elements, _table(elements, generators)


def _table(elements: Images, generators: Images) -> Table:
    """Return the table, a column a step: x·(ys) is (x·y)·s for a generator s."""
    index = {row.tobytes(): k for k, row in enumerate(elements)}
    times = [
        np.array([index[row.tobytes()] for row in generator[elements]], np.int32)
        for generator in generators
    ]
    table = np.empty((len(elements), len(elements)), np.int32)  # rows are columns here
    table[0] = np.arange(len(elements))
    queue, reached = [0], {0}
    for y in queue:
        for after in times:
            product = int(after[y])
            if product not in reached:
                reached.add(product)
                table[product] = after[table[y]]
                queue.append(product)
    return np.ascontiguousarray(table.T)


def parse_cycles(text: str) -> list[tuple[int, ...]]:
    """Return the cycles of "(0 1 2)(3 4)"; points are separated by blanks or commas.

    Raises:
        ValueError: the text is not a product of disjoint cycles; the message begins
            with the column at fault.
    """
    cycles: list[tuple[int, ...]] = []
    seen: set[int] = set()
    place = 0
    while rest := text[place:].lstrip():
        place = len(text) - len(rest)
        match = re.match(r"\(([^()]*)\)", rest)
        if not match:
            raise ValueError(f"column {place + 1}: expected a cycle such as (0 1 2)")
        points = []
        for word in re.finditer(r"[^\s,]+", match[1]):
            column = place + 2 + word.start()
            if not re.fullmatch(r"[0-9]{1,9}", word[0]):
                raise ValueError(f"column {column}: '{word[0]}' is not a point")
            if int(word[0]) in seen:
                raise ValueError(f"column {column}: point {word[0]} occurs twice")
            points.append(int(word[0]))
            seen.add(points[-1])
        cycles += [tuple(points)] if points else []
        place += match.end()
    return cycles


def points_of(products: Iterable[Iterable[tuple[int, ...]]]) -> list[int]:
    """Return the points that products of cycles name, in increasing order."""
    found = {point for cycles in products for cycle in cycles for point in cycle}
    return sorted(found) or [0]


def images_of(products: Sequence[Sequence[tuple[int, ...]]]) -> Images:
    """Return the images of products of disjoint cycles, on `points_of` renumbered."""
    number = {point: k for k, point in enumerate(points_of(products))}
    images = np.tile(np.arange(len(number), dtype=np.int32), (len(products), 1))
    for row, cycles in zip(images, products, strict=True):
        for cycle in cycles:
            for point, image in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                row[number[point]] = number[image]
    return images


def cycles_of(image_of: Mapping[int, int]) -> list[tuple[int, ...]]:
    """Return the cycles of a permutation, those of one point included."""
    cycles, seen = [], set[int]()
    for start in image_of:
        if start not in seen:
            cycle = [start]
            while (image := image_of[cycle[-1]]) != start:
                cycle.append(image)
            cycles.append(tuple(cycle))
            seen.update(cycle)
    return cycles
