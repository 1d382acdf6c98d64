"""Rows of Table 3: means over runs beside the paper's values."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from repjax.metrics import GENERALISED, TESTED
from repjax.reference.paper import paper_group, paper_values, unlike_paper
from repjax.report.settings import swept_settings
from repjax.settings.architectures import ARCHITECTURES, concerns
from repjax.storage.results import CellResults

COLUMNS = {
    "fve_w_a": "W_a",
    "fve_w_b": "W_b",
    "fve_w_u": "W_U",
    "fve_mlp": "MLP",
    "fve_mlp_ab": "ρ(ab)",
    "test_loss": "Test",
    "excluded_loss": "Exc.",
    "restricted_loss": "Res.",
}
"""Metric → its heading in the paper."""

ERRATUM = 1e-3
"""A published value off by more than this share of the exact one is wrong."""

NOT_TRAINING = (
    "seeds",
    "evaluation",
    "checkpoint",
    "max_chunk_seconds",
    "runs_per_device",
)
"""Settings in which the cells of one mean may differ."""

DASH = "–"


@dataclass(frozen=True)
class Entry:
    """One architecture on one group.

    Attributes:
        means: metric → mean over the runs that did not diverge, whether they
            generalised or not; NaN if all diverged. None for the test loss where every
            pair trains.
        num_runs: number of runs.
        num_diverged: number of runs that diverged.
        num_generalised: number of runs that generalised.
        whole_table: whether every pair of some runs trains.
        mixed: whether the runs' cells differ in more than their seeds or share seeds.
        unlike_paper: paper's values of the settings in which some runs differ from it.
    """

    means: dict[str, float | None]
    num_runs: int
    num_diverged: int
    num_generalised: int
    whole_table: bool
    mixed: bool
    unlike_paper: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One group, at one point of a sweep, and its entries by architecture.

    Attributes:
        group: name of the group, or of its file.
        settings: swept settings, as in folder names.
        entries: by architecture.
        from_file: whether the group is a file, whose name says nothing about it.
        paper: name of the paper's group to which it is isomorphic, or None.
        swept: dotted key → value of each setting that any row's sweep varies.
    """

    group: str
    settings: str
    entries: dict[str, Entry]
    from_file: bool = False
    paper: str | None = None
    swept: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Group and swept settings, for use in a sentence."""
        return ", ".join(
            [self.group, *(f"{key} {value}" for key, value in self.swept.items())]
        )

    def texts(self, architecture: str, metric: str) -> tuple[str, str, str]:
        """Return our mean, the published value, and the exact one if it differs.

        The paper has a value only beside runs with its settings.
        """
        entry = self.entries.get(architecture)
        ours = format_value(metric, entry.means[metric] if entry else None)
        if entry is None or entry.unlike_paper:
            return ours, DASH, ""
        published, exact = (
            paper_values().get((self.paper or "", architecture, source, metric))
            for source in ("published", "exact")
        )
        if published is None or exact is None:
            return ours, DASH, ""
        wrong = abs(published - exact) > ERRATUM * abs(exact)
        corrected = format_value(metric, exact) if wrong else ""
        return ours, format_value(metric, published), corrected

    def runs(self, architecture: str) -> str:
        """Return the number of runs that generalised out of all, as "4/4"."""
        entry = self.entries.get(architecture)
        return f"{entry.num_generalised}/{entry.num_runs}" if entry else DASH


def swept_headings(rows: Sequence[Row]) -> dict[str, str]:
    """Return the heading of each swept setting: the last part of its dotted key."""
    keys = list(dict.fromkeys(key for row in rows for key in row.swept))
    last = [key.rpartition(".")[2] for key in keys]
    return {
        key: name if last.count(name) == 1 else key
        for key, name in zip(keys, last, strict=True)
    }


def headings(architecture: str) -> dict[str, str]:
    """Return the heading of each metric for an architecture."""
    if not ARCHITECTURES[architecture].one_embedding:
        return COLUMNS
    others = {m: heading for m, heading in COLUMNS.items() if m != "fve_w_b"}
    return others | {"fve_w_a": "W_E"}


def build_rows(results: Iterable[CellResults]) -> list[Row]:
    """Build a row per group and swept setting, the paper's groups first."""
    rank = {
        group: i for i, group in enumerate(dict.fromkeys(k[0] for k in paper_values()))
    }

    def place(cell: CellResults) -> tuple[int, list, str, bool, list, str]:
        from_file = cell.cell.group != cell.group_name
        position = rank.get(cell.cell.group, len(rank))
        name, settings = cell.group_name, cell.settings
        return position, natural(name), name, from_file, natural(settings), settings

    ordered = sorted(results, key=place)
    swept = swept_settings(ordered)
    values = {
        id(cell): dict(zip(swept.keys, texts, strict=True))
        for cell, texts in zip(ordered, swept.values, strict=True)
    }
    rows = []
    for (_, _, group, from_file, _, settings), cells in groupby(ordered, place):
        by_architecture: dict[str, list[CellResults]] = {}
        for cell in (same := list(cells)):
            by_architecture.setdefault(cell.cell.architecture, []).append(cell)
        entries = {name: _mean(members) for name, members in by_architecture.items()}
        paper = paper_group(same[0].cell.group)
        rows.append(
            Row(group, settings, entries, from_file, paper, values[id(same[0])])
        )
    return rows


def natural(text: str) -> list[tuple[str, float]]:
    """Return a key that sorts numbers in a text by their size: D9 before D10."""
    parts = re.findall(r"(\D*)(\d*\.?\d*)", text)
    return [
        (word, float(digits) if digits.strip(".") else -1.0) for word, digits in parts
    ]


def _mean(cells: Sequence[CellResults]) -> Entry:
    """Average over cells with the same group, architecture and swept settings."""

    def mean(metric: str) -> float | None:
        measured = [
            cell for cell in cells if metric not in TESTED or not cell.cell.whole_table
        ]
        if not measured:
            return None
        values = [cell.final(metric)[~cell.diverged] for cell in measured]
        pooled = np.concatenate(values)
        return float(pooled.mean(dtype=float)) if pooled.size else np.nan

    seeds = [seed for cell in cells for seed in cell.cell.seeds]
    first, *others = (
        {
            name: value
            for name, value in cell.cell.to_json().items()
            if name not in NOT_TRAINING and concerns(name, cell.cell.architecture)
        }
        for cell in cells
    )
    return Entry(
        means={metric: mean(metric) for metric in COLUMNS},
        num_runs=len(seeds),
        num_diverged=sum(int(cell.diverged.sum()) for cell in cells),
        num_generalised=sum(int(cell.generalised.sum()) for cell in cells),
        whole_table=any(cell.cell.whole_table for cell in cells),
        mixed=len(set(seeds)) < len(seeds) or any(other != first for other in others),
        unlike_paper={
            key: value
            for cell in cells
            for key, value in unlike_paper(cell.cell).items()
        },
    )


def notes(rows: Sequence[Row]) -> list[str]:
    """Return notes on single entries, and on the settings of the paper."""
    said = []
    for row in rows:
        for architecture, entry in row.entries.items():
            where = f"{row.label}, {ARCHITECTURES[architecture].title}"
            if entry.mixed:
                said.append(
                    f"{where}: the mean is over cells that differ in more than their "
                    "seeds, or that share seeds."
                )
            if entry.whole_table:
                runs = "some runs" if entry.mixed else "runs"
                said.append(
                    f"{where}: {runs} train on every pair; they have no test loss and "
                    f"count as generalised at a train accuracy of at least "
                    f"{GENERALISED:g}."
                )
            if entry.num_diverged:
                said.append(
                    f"{where}: {entry.num_diverged} of {entry.num_runs} runs diverged "
                    "and are left out."
                )
    return said + _settings_of_paper(rows)


def _settings_of_paper(rows: Iterable[Row]) -> list[str]:
    """Return a line with the paper's settings where runs of its groups have others."""
    theirs: dict[str, dict[str, Any]] = {}
    for row in rows:
        for architecture, entry in row.entries.items():
            if entry.unlike_paper:
                name = f"{row.paper}, {ARCHITECTURES[architecture].title}"
                theirs.setdefault(name, {}).update(entry.unlike_paper)
    if not theirs:
        return []
    listed = "; ".join(
        f"for {name} it has "
        f"{', '.join(f'{key} {value}' for key, value in differing.items())}"
        for name, differing in theirs.items()
    )
    return [f"The paper's values are left out where its settings differ: {listed}."]


def format_value(metric: str, value: float | None) -> str:
    """Format a value as the paper does: 99.53 (percent), 5.95, 1.63e-5."""
    if value is None:
        return DASH
    if metric.startswith("fve_"):
        return f"{100 * value:.2f}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    if value == 0 or not exponent or int(exponent) >= 0:  # nan has no exponent
        return f"{value:.2f}"
    return f"{mantissa}e{int(exponent)}"
