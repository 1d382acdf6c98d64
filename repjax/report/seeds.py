"""seeds.csv: one row per run, for other programs to read."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from repjax.metrics import EXPLAINED, SCALARS, TESTED
from repjax.report.settings import swept_settings
from repjax.storage.files import write_text
from repjax.storage.results import CellResults

COLUMNS = ("group", "architecture", "seed", "steps", "key_irreps", *SCALARS)


def write_seeds(results: Iterable[CellResults], directory: Path) -> Path:
    """Write `directory`/seeds.csv, with the final numbers of every run.

    Rows are sorted by group, architecture, settings and seed. After `COLUMNS`, each
    setting that a sweep varied has a column, under its dotted key; then come
    `repjax.metrics.EXPLAINED`, blank where they were not measured. Shares are fractions
    in [0, 1] and losses are nats, in the shortest form that reads back as the same
    float; key irreps are in order of learning, separated by `;`. A run that diverged
    has fewer steps than its cell. Where every pair trains, `test_loss` and
    `test_accuracy` are blank.
    """
    cells = sorted(results, key=lambda cell: cell.cell.name)
    swept = swept_settings(cells)
    rows = [
        (
            (cell.group_name, cell.cell.architecture, cell.settings, seed),
            (*row, *values, *explained),
        )
        for cell, values in zip(cells, swept.values, strict=True)
        for seed, row, explained in zip(
            cell.cell.seeds, seed_rows(cell), explained_rows(cell), strict=True
        )
    ]
    # Parts of a cell trained separately are sorted as if trained together.
    rows.sort(key=lambda row: row[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *swept.keys, *EXPLAINED))
    writer.writerows(row for _, row in rows)
    path = directory / "seeds.csv"
    write_text(path, text.getvalue())
    return path


def seed_rows(results: CellResults) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one cell, in `COLUMNS`."""
    final = {name: results.final(name) for name in SCALARS}
    steps = results.final("trained_steps")
    blank = TESTED if results.cell.whole_table else ()
    for run, seed in enumerate(results.cell.seeds):
        yield (
            results.group_name,
            results.cell.architecture,
            str(seed),
            str(int(steps[run])),
            ";".join(results.key_irreps(run)),
            *(
                "" if name in blank else repr(float(values[run]))
                for name, values in final.items()
            ),
        )


def explained_rows(results: CellResults) -> Iterator[tuple[str, ...]]:
    """Yield `EXPLAINED` of each run of a cell; blank where an old cell has none."""
    blank = np.full(results.num_runs, np.nan)
    final = [
        results.final(name) if name in results.metrics else blank for name in EXPLAINED
    ]
    for values in zip(*final, strict=True):
        yield tuple("" if np.isnan(x) else repr(float(x)) for x in values)
