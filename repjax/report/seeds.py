"""seeds.csv: one row per run, for other programs to read."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from repjax.files import write_text
from repjax.metrics import SCALARS
from repjax.results import CellResults

COLUMNS = ("group", "architecture", "seed", "steps", "key_irreps", *SCALARS)


def write_seeds(results: Iterable[CellResults], directory: Path) -> Path:
    """Writes `directory`/seeds.csv, with every run as it ended.

    Rows stand by group, architecture, settings and seed; a last column `settings` is
    there only where a sweep varied some. Shares are fractions in [0, 1] and losses are
    nats, in the shortest form that reads back as the same float; key irreps stand in
    order of learning, `;` between. A run has fewer steps than its cell if it diverged.
    """
    cells = sorted(results, key=lambda cell: cell.cell.name)
    rows = [
        (cell.group_name, cell.cell.architecture, cell.settings, seed, row)
        for cell in cells
        for seed, row in zip(cell.cell.seeds, seed_rows(cell), strict=True)
    ]
    # Parts of a cell trained apart stand as if they had been trained together.
    rows.sort(key=lambda row: row[:4])
    swept = any(settings for _, _, settings, _, _ in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, "settings") if swept else COLUMNS)
    for _, _, settings, _, row in rows:
        writer.writerow((*row, settings) if swept else row)
    path = directory / "seeds.csv"
    write_text(path, text.getvalue())
    return path


def seed_rows(results: CellResults) -> Iterator[tuple[str, ...]]:
    """The rows of one cell, in `COLUMNS`."""
    final = {name: results.final(name) for name in SCALARS}
    steps = results.final("trained_steps")
    for run, seed in enumerate(results.cell.seeds):
        yield (
            results.group_name,
            results.cell.architecture,
            str(seed),
            str(int(steps[run])),
            ";".join(results.key_irreps(run)),
            *(repr(float(values[run])) for values in final.values()),
        )
