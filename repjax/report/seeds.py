"""seeds.csv: one row per run, for other programs to read."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from repjax.metrics import SCALARS
from repjax.report.settings import swept_settings
from repjax.storage.files import write_text
from repjax.storage.results import CellResults

COLUMNS = ("group", "architecture", "seed", "steps", "key_irreps", *SCALARS)


def write_seeds(results: Iterable[CellResults], directory: Path) -> Path:
    """Write `directory`/seeds.csv, with the final numbers of every run.

    Rows are sorted by group, architecture, settings and seed. After `COLUMNS`, each
    setting that a sweep varied has a column, under its dotted key. Shares are fractions
    in [0, 1] and losses are nats, in the shortest form that reads back as the same
    float; key irreps are in order of learning, separated by `;`. A run that diverged
    has fewer steps than its cell.
    """
    cells = sorted(results, key=lambda cell: cell.cell.name)
    swept = swept_settings(cells)
    rows = [
        (
            (cell.group_name, cell.cell.architecture, cell.settings, seed),
            (*row, *values),
        )
        for cell, values in zip(cells, swept.values, strict=True)
        for seed, row in zip(cell.cell.seeds, seed_rows(cell), strict=True)
    ]
    # Parts of a cell trained separately are sorted as if trained together.
    rows.sort(key=lambda row: row[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *swept.keys))
    writer.writerows(row for _, row in rows)
    path = directory / "seeds.csv"
    write_text(path, text.getvalue())
    return path


def seed_rows(results: CellResults) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one cell, in `COLUMNS`."""
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
