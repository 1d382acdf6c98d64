"""Table 3 on a console: a table where it fits, a list where it does not.

Bold, dim and green tell our means from the paper's values on a terminal with colours.
Elsewhere (a file, a pipe, NO_COLOR, a screen reader) words do: the lines of the paper's
values begin with "paper" and "corrected".
"""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from repjax.report.means import DASH, Row, build_rows, headings, notes, swept_headings
from repjax.report.table3 import COUNTED, IN_PAPER
from repjax.settings.architectures import ARCHITECTURES
from repjax.storage.results import CellResults

STYLED = (
    "Under each mean the paper's value (dim) and, where its errata touch it, "
    "the corrected one (green)."
)
IN_WORDS = (
    "Under our means, in the lines named so, the paper's values and, where its errata "
    "touch them, the corrected ones."
)
UNITS = "W_a to ρ(ab): percent of variance explained; Test, Exc., Res.: losses in nats."

NARROWEST_GROUP = 9
"""Width to which names of groups may be folded before a table becomes a list."""

_STYLES = ("bold", "dim", "green")
_WORDS = ("", "paper", "corrected")


def print_table3(
    results: Iterable[CellResults], console: Console | None = None
) -> None:
    """Print a table or a list for each architecture, and a legend."""
    console = console or Console()
    rows, styled = build_rows(results), has_styles(console)
    compared = False  # whether a table holds the paper's values
    for architecture in ARCHITECTURES:
        present = [row for row in rows if architecture in row.entries]
        if not present:
            continue
        table = _table(present, architecture, styled)
        if _fits(table, present, console):
            console.print(table)
            compared |= any(_has_paper(row, architecture) for row in present)
        else:
            for line in _list(present, architecture):
                console.print(line, markup=False, highlight=False)
    legend = [STYLED if styled else IN_WORDS] if compared else []
    for line in (COUNTED, *legend, UNITS, *notes(rows)):
        console.print(line, markup=False, highlight=False)


def has_styles(console: Console) -> bool:
    """Return whether bold, dim and colours are seen on this console."""
    return console.color_system is not None and not console.no_color


def _table(rows: Sequence[Row], architecture: str, styled: bool) -> Table:
    """Return the table of an architecture."""
    # One space between columns: with more, the group would not fit into 80.
    title = f"Table 3: {ARCHITECTURES[architecture].title}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column("group", overflow="fold")
    swept, shown = swept_headings(rows), headings(architecture)
    for heading in swept.values():
        table.add_column(heading, justify="right", overflow="fold")
    for heading in ("runs", *shown.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        values = [row.swept[key] for key in swept]
        lines = _lines(row, architecture)
        first = row.group if styled else "\n".join([row.group, *_WORDS[1 : len(lines)]])
        cells = zip(*lines, strict=True)
        texts = [_styled(cell) if styled else "\n".join(cell) for cell in cells]
        table.add_row(first, *values, row.runs(architecture), *texts)
    return table


def _lines(row: Row, architecture: str) -> list[tuple[str, ...]]:
    """Return our means, the paper's values, the corrected ones; the last if any."""
    texts = [row.texts(architecture, metric) for metric in headings(architecture)]
    ours, published, corrected = zip(*texts, strict=True)
    if not _has_paper(row, architecture):
        return [ours]
    return [ours, published, corrected] if any(corrected) else [ours, published]


def _has_paper(row: Row, architecture: str) -> bool:
    """Return whether the paper has values for a row."""
    return architecture in IN_PAPER and any(
        row.texts(architecture, metric)[1] != DASH for metric in headings(architecture)
    )


def _styled(lines: Sequence[str]) -> str:
    pairs = zip(_STYLES, lines, strict=False)
    return "\n".join(f"[{style}]{text}[/]" for style, text in pairs if text)


def _fits(table: Table, rows: Sequence[Row], console: Console) -> bool:
    """Return whether a table needs no more than the width of the console."""
    if console.is_dumb_terminal:
        return False  # it may be read aloud, line by line
    longest = max(len(row.group) for row in rows)
    foldable = max(0, longest - NARROWEST_GROUP)
    options = console.options.update(max_width=10_000)
    return console.measure(table, options=options).maximum - foldable <= console.width


def _list(rows: Sequence[Row], architecture: str) -> Iterator[str]:
    """Yield a line for each group and each of its numbers."""
    yield f"Table 3: {ARCHITECTURES[architecture].title}"
    shown = headings(architecture)
    width = max(map(len, shown.values()))
    for row in rows:
        yield f"{row.label}: {row.runs(architecture)} runs generalised"
        for metric, heading in shown.items():
            ours, published, corrected = row.texts(architecture, metric)
            words = [f"  {heading:{width}} {ours}"]
            words += [f"paper {published}"] if _has_paper(row, architecture) else []
            words += [f"corrected {corrected}"] if corrected else []
            yield ", ".join(words)
