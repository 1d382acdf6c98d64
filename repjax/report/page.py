"""index.html: the whole report as one page that needs no network and no script.

It holds all tables, the periodic table and, for each cell, its figures and panels of
some of its runs. The templates escape all text except figures, which this package drew.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from repjax.groups.library import structure_of
from repjax.metrics import GENERALISED, KEY_SIMILARITY, LEARNED_SIMILARITY
from repjax.report.figures.gallery import FEW_CELLS, Gallery, heading_of, network_of
from repjax.report.figures.look import COLOUR_NAMES, DARK, plain
from repjax.report.figures.periodic import TYPES
from repjax.report.figures.picture import Picture
from repjax.report.rivals import rival_tables
from repjax.report.run_tables import fact_list, irrep_tables, phase_note
from repjax.report.selection_tables import comparison_table, selection_tables
from repjax.report.selection_words import corrected_exchangeability, selection_words
from repjax.report.story import Report, Story
from repjax.report.tables import (
    Table,
    cell_table,
    seed_table,
    table3_tables,
    universality_tables,
)
from repjax.storage.files import write_text


@dataclass(frozen=True)
class Panel:
    """Panel of one run.

    Attributes:
        anchor: id of the panel.
        title: cell and seed.
        facts: names and values.
        tables: numbers by irrep.
        note: how its phases and its milestones differ; often empty.
        pictures: figures of its training and of the trained network.
        has_past: whether there are training curves.
    """

    anchor: str
    title: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    note: str
    pictures: Sequence[Picture]
    has_past: bool


@dataclass(frozen=True)
class Part:
    """Part of a section.

    Attributes:
        text: a paragraph.
        pictures: figures.
        tables: tables.
    """

    text: str
    pictures: Sequence[Picture]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Section:
    """Section of one cell.

    Attributes:
        name: name of the cell.
        anchor: id of the section.
        title: group, architecture and swept settings.
        summary: one sentence.
        seeds: a row per run, with links to the panels.
        tables: statistics over the runs.
        selection: section "Selection"; None for a single run.
        rivals: tables of "Which explanation?"; none if it was not asked.
        pictures: figures over the runs.
        panels: panels of single runs.
        config: config of the cell, as JSON.
    """

    name: str
    anchor: str
    title: str
    summary: str
    seeds: Table
    tables: Sequence[Table]
    selection: Part | None
    rivals: Sequence[Table]
    pictures: Sequence[Picture]
    panels: Sequence[Panel]
    config: str


def write_page(report: Report, gallery: Gallery, directory: Path) -> Path:
    """Write `directory`/index.html."""
    environment = Environment(
        loader=PackageLoader("repjax.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markup": Markup, "plain": plain}
    sections = [*_sections(report, gallery)]
    table3 = table3_tables([story.results for story in report.stories])
    text = environment.get_template("index.html").render(
        title=", ".join(dict.fromkeys(s.results.group_name for s in report.stories)),
        num_runs=sum(story.results.num_runs for story in report.stories),
        num_generalised=sum(
            story.universality.generalised.count for story in report.stories
        ),
        light={name: colour for colour, name in COLOUR_NAMES.items()},
        dark={COLOUR_NAMES[colour]: dark for colour, dark in DARK.items()},
        table3=table3,
        beside_paper=any(
            cell.note for one in table3 for row in one.rows for cell in row
        ),
        groups=_groups(report),
        swept=gallery.sweep,
        laws=comparison_table(
            report.comparisons, {s.name: heading_of(s) for s in report.stories}
        ),
        periodic=gallery.periodic_table,
        overview=cell_table(report.stories, {s.name: s.anchor for s in sections}),
        folded=len(sections) > FEW_CELLS,
        networks={story.name: network_of(story) for story in report.stories},
        types=TYPES,
        sections=sections,
        manifests={name: _json(value) for name, value in report.manifests.items()},
        generalised=GENERALISED,
        key_similarity=KEY_SIMILARITY,
        learned_similarity=LEARNED_SIMILARITY,
    )
    path = Path(directory) / "index.html"
    write_text(path, text)
    return path


def _sections(report: Report, gallery: Gallery) -> Iterator[Section]:
    seen: set[str] = set()
    adjusted = corrected_exchangeability(report.stories)
    for story in report.stories:
        anchor = re.sub(r"[^\w-]+", "-", story.name)
        while anchor in seen:
            anchor += "-"
        seen.add(anchor)
        runs = gallery.runs[story.name]
        panels = {run: _panel(story, run, anchor, runs[run]) for run in runs}
        yield Section(
            name=story.name,
            anchor=anchor,
            title=heading_of(story),
            summary=_summary(story),
            seeds=seed_table(story, {run: p.anchor for run, p in panels.items()}),
            tables=universality_tables(story),
            selection=_selection(
                story, adjusted.get(story.name), gallery.selections[story.name]
            ),
            rivals=rival_tables(story),
            pictures=gallery.cells[story.name],
            panels=list(panels.values()),
            config=_json(story.results.cell.to_json()),
        )


def _selection(
    story: Story, adjusted: tuple[float, float] | None, pictures: Sequence[Picture]
) -> Part | None:
    words = selection_words(story, adjusted)
    if not words:
        return None
    return Part(" ".join(words), pictures, selection_tables(story))


def _summary(story: Story) -> str:
    """Summarise the runs of a cell in a sentence or two."""
    generalised, total = story.universality.generalised, story.results.num_runs
    runs = "1 run" if total == 1 else f"{total} runs"
    text = f"{runs}, {generalised.count} of them generalised. "
    number = story.universality.mean_num_key
    if number:
        text += f"{number.value:.3g} key irreps on average"
        if number.low is not None and number.high is not None:
            text += f" (95 % bootstrap interval {number.low:.3g} to {number.high:.3g})"
        text += ". "
    if story.imported:
        text += "These networks were imported: their training was not measured."
    return text.strip()


def _panel(story: Story, run: int, cell: str, pictures: Sequence[Picture]) -> Panel:
    seed = story.results.cell.seeds[run]
    return Panel(
        anchor=f"{cell}-seed-{seed}",
        title=f"{heading_of(story)}, seed {seed}",
        facts=fact_list(story, run),
        tables=irrep_tables(story, run),
        note=phase_note(story.courses[run]),
        pictures=pictures,
        has_past=story.courses[run].has_past,
    )


def _groups(report: Report) -> list[dict[str, Any]]:
    """Return the squares of the periodic table by group."""
    groups: dict[tuple[int, str], list] = {}
    for square in report.squares:
        groups.setdefault((square.order, square.group), []).append(square)
    return [
        {
            "name": name,
            "order": order,
            "structure": structure_of(name),
            "squares": squares,
        }
        for (order, name), squares in groups.items()
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
