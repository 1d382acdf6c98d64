"""Young's orthogonal form: the irreps of the symmetric groups in a canonical basis."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from repjax.groups.group import Group
from repjax.groups.irrep_names import name_by_dimension
from repjax.groups.representations import MatricesOfAnyDim, extend_to_group

Partition = tuple[int, ...]


def young_orthogonal_form(group: Group) -> dict[str, MatricesOfAnyDim]:
    """All irreps of a symmetric group in its lexicographic element order, by name."""
    assert group.family and group.family[0] == "S", group.name
    # in this order the generators found are (n-2 n-1), …, (1 2), (0 1)
    generators = group.generators[::-1]
    return {
        name: extend_to_group(
            group, dict(zip(generators, adjacent_transpositions(shape), strict=True))
        )
        for shape, name in partition_names(group.family[1]).items()
    }


def partitions(n: int, largest: int | None = None) -> Iterator[Partition]:
    """The partitions of n, lexicographically largest first."""
    if n == 0:
        yield ()
    for first in range(min(n, largest or n), 0, -1):
        for rest in partitions(n - first, first):
            yield (first, *rest)


def standard_tableaux(shape: Partition) -> list[tuple[int, ...]]:
    """The standard tableaux of a shape, each as the rows of its entries 1, …, n."""
    if not shape:
        return [()]
    tableaux = []
    for row, length in enumerate(shape):
        below = shape[row + 1] if row + 1 < len(shape) else 0
        if length > below:  # a corner: the largest entry may stand here
            smaller = (*shape[:row], length - 1, *shape[row + 1 :])
            inner = standard_tableaux(tuple(part for part in smaller if part))
            tableaux += [(*rows, row) for rows in inner]
    return tableaux


def adjacent_transpositions(shape: Partition) -> Float[np.ndarray, "gen dim dim"]:
    """Young's orthogonal matrices of (0 1), (1 2), …, (n-2 n-1).

    With r the axial distance from i to i+1 in the tableau T, the transposition sends
    T to T/r + sqrt(1 - 1/r²)·(T with i and i+1 exchanged).
    """
    tableaux = standard_tableaux(shape)
    index = {rows: k for k, rows in enumerate(tableaux)}
    matrices = np.zeros((sum(shape) - 1, len(tableaux), len(tableaux)))
    for k, rows in enumerate(tableaux):
        contents = [rows[:i].count(row) - row for i, row in enumerate(rows)]
        for i, matrix in enumerate(matrices):
            inverse_distance = 1 / (contents[i + 1] - contents[i])
            matrix[k, k] = inverse_distance
            exchanged = (*rows[:i], rows[i + 1], rows[i], *rows[i + 2 :])
            if exchanged != rows and exchanged in index:
                matrix[k, index[exchanged]] = np.sqrt(1 - inverse_distance**2)
    return matrices


def partition_names(n: int) -> dict[Partition, str]:
    """The name of each partition of n, in the order of the irreps.

    By dimension, those with a name of their own first, then larger partitions first.
    """
    special = _special_names(n)
    dims = {shape: len(standard_tableaux(shape)) for shape in partitions(n)}
    others = [shape for shape in dims if shape not in special]
    if n == 5:  # the published runs call (2, 2, 1) 5d_a and (3, 2) 5d_b
        others.reverse()
    others.sort(key=dims.__getitem__)
    names = special | dict(
        zip(others, name_by_dimension([dims[shape] for shape in others]), strict=True)
    )
    return dict(sorted(names.items(), key=lambda item: dims[item[0]]))


def _special_names(n: int) -> dict[Partition, str]:
    """The partitions with a name of their own; where two coincide the first holds."""
    names: dict[Partition, str] = {(n,): "trivial"}
    names.setdefault((1,) * n, "sign")
    if n >= 3:
        names.setdefault((n - 1, 1), "standard")
        names.setdefault((2, *(1,) * (n - 2)), "standard_sign")
    return names
