"""Tables of the page: cells as text, with the numbers that they are sorted by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import SupportsFloat

import numpy as np

from repjax.report.figures.periodic import TYPES
from repjax.report.means import (
    DASH,
    Entry,
    build_rows,
    format_value,
    headings,
    notes,
    swept_headings,
)
from repjax.report.settings import swept_settings
from repjax.report.story import Story
from repjax.report.sweeps import survival_of, varied_keys
from repjax.settings.architectures import ARCHITECTURES
from repjax.statistics.intervals import Share, share
from repjax.storage.results import CellResults

MAX_SETS = 20

MAX_SEEDS = 1000
"""Most runs of a cell with a row of their own; analysis.json has all of them."""


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes:
        text: text shown.
        value: number to sort by; None for text, nan where there is no value.
        note: small print below the text.
        target: id of the element of the page that it links to.
    """

    text: str
    value: float | int | None = None
    note: str = ""
    target: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first cell of a row is its name.

    Attributes:
        caption: title of the table.
        columns: headings.
        rows: rows, with one cell per column.
        note: explanation below the caption.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def number(metric: str, value: SupportsFloat | None) -> Cell:
    """Return a value in the paper's format: shares in percent, losses in nats."""
    if value is None or not isfinite(float(value)):
        return Cell(DASH, float("nan"))
    return Cell(format_value(metric, float(value)), float(value))


def percent(value: SupportsFloat | None) -> Cell:
    """Return a share in percent."""
    return number("fve_", value)


def decimal(value: SupportsFloat | None, digits: int = 3) -> Cell:
    """Return a similarity or an accuracy."""
    if value is None or not isfinite(float(value)):
        return Cell(DASH, float("nan"))
    text = f"{round(float(value), digits) + 0.0:.{digits}f}"  # without a −0
    return Cell(text, float(value))


def step(value: SupportsFloat | None) -> Cell:
    """Return a step of the optimiser, or a count."""
    if value is None or not isfinite(float(value)):
        return Cell(DASH, float("nan"))
    return Cell(f"{float(value):,.0f}", float(value))


def table3_tables(results: Sequence[CellResults]) -> list[Table]:
    """Return Table 3, one table per architecture, beside the paper's values."""
    rows = build_rows(results)
    tables = []
    for architecture, kind in ARCHITECTURES.items():
        columns = headings(architecture)
        present = [row for row in rows if architecture in row.entries]
        swept = swept_headings(present)
        cells = []
        for row in present:
            means = row.entries[architecture].means
            values = [_setting(row.swept[key]) for key in swept]
            line = [Cell(row.group), *values, _runs(row.entries[architecture])]
            for metric in columns:
                ours, published, exact = row.texts(architecture, metric)
                paper = f"{published} → {exact}" if exact else published
                note = "" if paper == DASH else paper
                line.append(Cell(ours, number(metric, means[metric]).value, note))
            cells.append(line)
        if cells:
            title = f"Table 3, {kind.title}"
            names = ["Group", *swept.values(), "Runs", *columns.values()]
            tables.append(Table(title, names, cells, " ".join(notes(present))))
    return tables


def _setting(text: str) -> Cell:
    """Return a value of a setting, sorted as a number if it is one."""
    try:
        return Cell(text, float(text))
    except ValueError:
        return Cell(text)


def _runs(entry: Entry) -> Cell:
    return Cell(f"{entry.num_generalised}/{entry.num_runs}", entry.num_generalised)


def cell_table(stories: Sequence[Story], anchors: Mapping[str, str]) -> Table:
    """Return a row per cell with its settings; `anchors` are the ids of sections."""
    keys = varied_keys(stories)
    swept = swept_settings([story.results for story in stories])
    rows = []
    for story, texts in zip(stories, swept.values, strict=True):
        value_of = dict(zip(swept.keys, texts, strict=True))
        found = survival_of([story])
        count = story.universality.generalised.count
        generalised = share(count, story.results.num_runs)
        number_of_key = story.universality.mean_num_key
        rows.append(
            [
                Cell(story.results.group_name, target=anchors[story.name]),
                Cell(ARCHITECTURES[story.results.cell.architecture].title),
                *(_setting(value_of[key]) for key in keys),
                *_share(generalised),
                step(found.median if found else None),
                decimal(number_of_key.value if number_of_key else None, 2),
                number("test_loss", np.median(story.results.final("test_loss"))),
            ]
        )
    names = [key.rpartition(".")[2] for key in keys]
    return Table(
        "Cells",
        [
            *("Group", "Network", *names, "Generalised", "%", "95 % interval"),
            *("Median step", "Key irreps", "Test loss"),
        ],
        rows,
        "Generalised: runs whose test accuracy ends at 0.99 or more; where every pair "
        "trains, whose train accuracy does (there is no test loss). Median step: step "
        "by which half of all runs had generalised (Kaplan–Meier; runs that never did "
        "are censored at their last step). Key irreps: mean over the runs that "
        "generalised. Test loss: median over all runs, in nats.",
    )


def seed_table(story: Story, panels: Mapping[int, str]) -> Table:
    """Return a row per run of a cell; `panels` are the ids of the runs' panels.

    Of many runs, the first `MAX_SEEDS` have one.
    """
    results = story.results
    columns = headings(results.cell.architecture)
    final = {name: results.final(name) for name in columns}
    rows = []
    for run, seed in enumerate(results.cell.seeds[:MAX_SEEDS]):
        course = story.courses[run]
        keys = results.key_irreps(run)
        rows.append(
            [
                Cell(str(seed), seed, target=panels.get(run, "")),
                Cell(", ".join(keys) or "none"),
                step(course.memorised),
                step(course.generalised),
                number("train_loss", results.final("train_loss")[run]),
                decimal(results.final("test_accuracy")[run], 4),
                *(number(metric, final[metric][run]) for metric in columns),
                number("weight_norm_sq", results.final("weight_norm_sq")[run]),
            ]
        )
    names = ("Seed", "Key irreps", "Memorised", "Generalised", "Train", "Accuracy")
    return Table(
        "Runs",
        [*names, *columns.values(), "‖weights‖²"],
        rows,
        "Key irreps are in order of learning, or of similarity for imported runs. "
        "Memorised, generalised: first evaluated step. Accuracy is on test pairs. W_a "
        "to ρ(ab) are in %, losses in nats."
        + (
            f" The first {MAX_SEEDS:,} of {results.num_runs:,} runs."
            if results.num_runs > MAX_SEEDS
            else ""
        ),
    )


def universality_tables(story: Story) -> list[Table]:
    """Return statistics over the runs that generalised."""
    counts = story.universality
    if not counts.generalised.count:
        return []
    types = dict(zip(story.results.irreps, story.types, strict=True))
    irreps = [
        [
            Cell(irrep.name),
            Cell(str(irrep.dim), irrep.dim),
            Cell(TYPES[types[irrep.name]]),
            *_share(irrep.learned),
            step(irrep.step.value if irrep.step else None),
            Cell(str(irrep.places[0].count), irrep.places[0].count)
            if irrep.places
            else Cell(DASH, float("nan")),
        ]
        for irrep in counts.irreps
        if irrep.learned.count
    ]
    never = len(counts.irreps) - len(irreps)
    names = ["Irrep", "Dimension", "Type", "Runs", "%", "95 % interval"]
    tables = [
        Table(
            "Irreps over the runs that generalised",
            [*names, "Median step", "Learned first"],
            irreps,
            f"Irreps that no run learned: {never}." if never else "",
        ),
        Table(
            "Number of key irreps",
            ["Key irreps", "Runs", "%", "95 % interval"],
            [[Cell(str(k), k), *_share(v)] for k, v in counts.num_key.items()],
        ),
        _sets("Sets of key irreps", ", ", counts.key_sets),
        _sets("Orders of learning", " → ", counts.orders),
    ]
    return [table for table in tables if table.rows]


def _sets(title: str, between: str, sets: Mapping[tuple[str, ...], Share]) -> Table:
    shown = list(sets.items())[:MAX_SETS]
    more = len(sets) - len(shown)
    return Table(
        title,
        [title, "Runs", "%", "95 % interval"],
        [[Cell(between.join(names) or "none"), *_share(v)] for names, v in shown],
        f"{more} more, none in more runs than these." if more else "",
    )


def _share(share: Share) -> list[Cell]:
    """Return the count, percentage and Clopper–Pearson interval of a share."""
    interval = f"{100 * share.low:.1f} – {100 * share.high:.1f}"
    return [
        Cell(f"{share.count}/{share.total}", share.count),
        decimal(None if share.value is None else 100 * share.value, 1),
        Cell(interval, share.low),
    ]
