"""Table 3 of the paper in three layouts: CSV, Markdown and LaTeX.

One row per group (and point of a sweep). Shares are in percent, losses in nats, both
rounded as in the paper; seeds.csv has all digits. The paper's value stands beside each
mean, published → corrected where the errata touch it. Architectures that the paper does
not have, such as bilinear networks, follow in a table of their own.

Columns of table3.csv: `group`, `settings` (empty unless swept), and for each A in mlp,
transformer and any other architecture: `A_runs`, `A_generalised`, and for each metric M
`A_M`, `A_M_published`, `A_M_exact` (the last two for the paper's architectures only). M
is named as in seeds.csv, with `_percent` after the shares. Each setting that a sweep
varies then has a column, under its dotted key. A missing value is an empty field.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tabulate import tabulate

from repjax.metrics import GENERALISED
from repjax.report.means import (
    DASH,
    Row,
    build_rows,
    headings,
    notes,
    swept_headings,
)
from repjax.settings.architectures import ARCHITECTURES
from repjax.storage.files import write_text
from repjax.storage.results import CellResults

IN_PAPER = tuple(name for name, one in ARCHITECTURES.items() if one.in_paper)
COUNTED = (
    "Means over all runs, as in the paper, including runs that did not generalise. "
    f"Runs: generalised (test accuracy at least {GENERALISED:g}) / total."
)
BESIDE = (
    "W_a to ρ(ab): percent of variance explained; Test, Exc., Res.: losses in nats. "
    "In brackets the paper's value: published, or published → corrected where its "
    "errata touch it."
)


def write_table3(results: Iterable[CellResults], directory: Path) -> tuple[Path, ...]:
    """Write table3.csv, table3.md and table3.tex into `directory`."""
    rows = build_rows(results)
    texts = {"csv": csv_table(rows), "md": markdown(rows), "tex": latex(rows)}
    for ending, text in texts.items():
        write_text(directory / f"table3.{ending}", text)
    return tuple(directory / f"table3.{ending}" for ending in texts)


def csv_table(rows: Sequence[Row]) -> str:
    """Return table3.csv; the docstring of this module lists its columns."""
    present = {name for row in rows for name in row.entries}
    architectures = [name for name in ARCHITECTURES if name in {*IN_PAPER, *present}]
    columns = [*_csv_row(Row("", "", {}), architectures), *swept_headings(rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_csv_row(row, architectures) for row in rows)
    return text.getvalue()


def _csv_row(row: Row, architectures: Sequence[str]) -> dict[str, str]:
    fields = {"group": row.group, "settings": row.settings}
    for architecture in architectures:
        generalised, _, total = row.runs(architecture).partition("/")
        fields[f"{architecture}_runs"] = total
        fields[f"{architecture}_generalised"] = generalised
        for metric in headings(architecture):
            unit = "_percent" if metric.startswith("fve_") else ""
            name = f"{architecture}_{metric}{unit}"
            ours, published, exact = row.texts(architecture, metric)
            fields[name] = ours
            if architecture in IN_PAPER:
                fields[f"{name}_published"] = published
                fields[f"{name}_exact"] = exact or published
    shown = {name: "" if text == DASH else text for name, text in fields.items()}
    return shown | dict(row.swept)


def markdown(rows: Sequence[Row]) -> str:
    """Return table3.md."""
    parts = ["# Table 3", COUNTED, BESIDE]
    for architectures, present in _sections(rows):
        swept = swept_headings(present)
        headers = ["group", *swept.values()] + [
            f"{ARCHITECTURES[architecture].title} {heading}"
            for architecture in architectures
            for heading in ("runs", *headings(architecture).values())
        ]
        parts.append(
            _tabulate(headers, _cells(present, architectures), "pipe", len(swept))
        )
    return "\n\n".join([*parts, *notes(rows)]) + "\n"


def latex(rows: Sequence[Row]) -> str:
    r"""Return table3.tex: one tabular per section, to be \input; needs no package."""
    parts = [f"% {line}" for line in (COUNTED, BESIDE, *notes(rows))]
    for architectures, present in _sections(rows):
        swept = swept_headings(present)
        headers = ["", *map(_tex_label, swept.values())]
        titles = " &" * len(swept)
        for architecture in architectures:
            texts = ["runs", *map(_tex_heading, headings(architecture).values())]
            headers += texts
            titles += rf" & \multicolumn{{{len(texts)}}}{{c}}"
            titles += f"{{{ARCHITECTURES[architecture].title}}}"
        cells = _cells(present, architectures, _tex_label, _tex_number, r"$\to$")
        text = _tabulate(headers, cells, "latex_raw", len(swept))
        parts.append(text.replace("\\hline\n", f"\\hline\n{titles} \\\\\n", 1))
    return "\n".join(parts).replace("→", "->") + "\n"


def _sections(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Return the architectures and rows of each table that has any rows."""
    there = {name for row in rows for name in row.entries}
    others = tuple(n for n in ARCHITECTURES if n in there and n not in IN_PAPER)
    sections = []
    for architectures in (IN_PAPER, others):
        present = [row for row in rows if row.entries.keys() & set(architectures)]
        if present:
            sections.append((architectures, present))
    return sections


def _cells(
    rows: Sequence[Row],
    architectures: Sequence[str],
    label: Callable[[str], str] = str,
    number: Callable[[str], str] = str,
    arrow: str = "→",
) -> list[list[str]]:
    """Return the texts of a table; `label`, `number`, `arrow` depend on the layout."""

    def cell(row: Row, architecture: str, metric: str) -> str:
        ours, published, exact = map(number, row.texts(architecture, metric))
        paper = f"{published} {arrow} {exact}" if exact else published
        return f"{ours} ({paper})" if architecture in IN_PAPER else ours

    table = []
    for row in rows:
        cells = [label(text) for text in (row.group, *row.swept.values())]
        for architecture in architectures:
            cells.append(number(row.runs(architecture)))
            cells += [cell(row, architecture, m) for m in headings(architecture)]
        table.append(cells)
    return table


def _tabulate(
    headers: list[str], cells: list[list[str]], layout: str, num_swept: int
) -> str:
    """Lay out a table. Numbers are formatted already: tabulate only aligns them."""
    sides = ("left",) * (1 + num_swept)
    sides += ("right",) * (len(headers) - len(sides))
    return tabulate(cells, headers, layout, disable_numparse=True, colalign=sides)


def _tex_label(text: str) -> str:
    return re.sub(r"([_&%#$])", r"\\\1", text)


def _tex_heading(text: str) -> str:
    if "_" in text:
        return f"${text}$"
    return text.replace("ρ(ab)", r"$\rho(ab)$")


def _tex_number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.replace(DASH, "--")
    return rf"${mantissa} \times 10^{{{exponent}}}$"
