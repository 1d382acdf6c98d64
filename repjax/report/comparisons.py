"""Laws of selection of two cells side by side: do they differ, and in which irreps?

Cells of one group that differ in one setting are compared by their key sets. Cells of
two groups of equal order and degrees, such as D4 and Q8, are compared by the number of
key irreps of each degree, if all their settings agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

from repjax.report.periodic import Member
from repjax.report.selection import FEWEST_RUNS
from repjax.report.settings import swept_settings
from repjax.statistics.comparison import ShareDifferences, compare_shares, same_law
from repjax.statistics.phases import has_past
from repjax.statistics.significance import Significance, holm
from repjax.statistics.universality import TRIVIAL

MOST_COMPARISONS = 100
"""Most pairs of cells that a report compares; corrections for more would hide all."""

DEGREES_OF_TYPE = {"real": (1, 1), "complex": (2, 2), "quaternionic": (2, 1)}
"""Real dimension over degree, and the number of complex irreps, of each type."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two cells.

    Attributes:
        first: name of the first story.
        second: name of the second.
        by: dotted key in which they differ; "group" for two groups.
        values: the value of each.
        test: test of the null that both have the same law.
        adjusted: its p-value, corrected by Holm's method for all comparisons of the
            report.
        irreps: names of the irreps that can be key; none for two groups.
        differences: how often each irrep is key; None for two groups.
    """

    first: str
    second: str
    by: str
    values: tuple[str, str]
    test: Significance
    adjusted: float
    irreps: tuple[str, ...]
    differences: ShareDifferences | None


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a report.

    Attributes:
        pairs: comparisons, in the order of the stories.
        num_left_out: pairs beyond `MOST_COMPARISONS`.
    """

    pairs: tuple[Comparison, ...] = ()
    num_left_out: int = 0


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two cells, the key in which they differ, and its values."""

    first: Member
    second: Member
    by: str
    values: tuple[str, str]

    def test(self) -> Significance:
        by_group = self.by == "group"
        return same_law(_rows(self.first, by_group), _rows(self.second, by_group))

    def told(self, test: Significance, adjusted: float) -> Comparison:
        names, differences = (), None
        if self.by != "group":
            nontrivial = np.array(self.first.results.irreps) != TRIVIAL
            names = tuple(np.array(self.first.results.irreps)[nontrivial].tolist())
            differences = compare_shares(
                _key_irreps(self.first)[:, nontrivial],
                _key_irreps(self.second)[:, nontrivial],
            )
        return Comparison(
            self.first.name,
            self.second.name,
            self.by,
            self.values,
            test,
            adjusted,
            names,
            differences,
        )


def compare(cells: Sequence[Member]) -> Comparisons:
    """Compare all pairs of cells that can be compared; see the module."""
    enough = [c for c in cells if c.results.generalised.sum() >= FEWEST_RUNS]
    found = [*_pairs(enough)]
    shown = found[:MOST_COMPARISONS]
    tests = [pair.test() for pair in shown]
    adjusted = holm([test.p_value for test in tests]).tolist()
    pairs = map(_Pair.told, shown, tests, adjusted)
    return Comparisons(tuple(pairs), len(found) - len(shown))


def _pairs(cells: Sequence[Member]) -> Iterator[_Pair]:
    swept = swept_settings([cell.results for cell in cells])
    for (one, mine), (other, others) in combinations(
        zip(cells, swept.values, strict=True), 2
    ):
        first, second = one.results, other.results
        if first.cell.architecture != second.cell.architecture:
            continue
        if has_past(first).any() != has_past(second).any():
            continue
        differ = [
            (key, values)
            for key, *values in zip(swept.keys, mine, others, strict=True)
            if values[0] != values[1]
        ]
        same_group = first.group_name == second.group_name
        if same_group and first.irreps == second.irreps and len(differ) == 1:
            key, values = differ[0]
            yield _Pair(one, other, key, (values[0], values[1]))
        elif not same_group and not differ and _settings_agree(one, other):
            names = first.group_name, second.group_name
            yield _Pair(one, other, "group", names)


def _settings_agree(one: Member, other: Member) -> bool:
    """Return whether two groups have irreps of equal degrees and the same settings."""
    apart = ("group", "seeds", "swept")
    first, second = (
        {key: x for key, x in cell.results.cell.to_json().items() if key not in apart}
        for cell in (one, other)
    )
    return first == second and sorted(_degrees(one)) == sorted(_degrees(other))


def _degrees(member: Member) -> list[int]:
    """Return the degree of every complex irrep."""
    return [
        dim // DEGREES_OF_TYPE[kind][0]
        for dim, kind in zip(member.results.irrep_dims, member.types, strict=True)
        for _ in range(DEGREES_OF_TYPE[kind][1])
    ]


def _key_irreps(member: Member) -> Bool[np.ndarray, "run irrep"]:
    """Return the key irreps of the runs that generalised."""
    return member.results.is_key[member.results.generalised]


def _rows(
    member: Member, by_degree: bool
) -> Bool[np.ndarray, "run irrep"] | Int[np.ndarray, "run degree"]:
    """Return the key irreps of each run, or their number of each degree."""
    is_key = _key_irreps(member)
    if not by_degree:
        return is_key
    kinds = np.array([DEGREES_OF_TYPE[kind] for kind in member.types])
    degrees = np.array(member.results.irrep_dims) // kinds[:, 0]
    counts = is_key * kinds[:, 1]
    return np.stack(
        [counts[:, degrees == degree].sum(axis=1) for degree in np.unique(degrees)],
        axis=1,
    )
