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

    Shares are fractions in [0, 1] and losses are nats, in the shortest form that reads
    back as the same float; key irreps stand in order of learning, `;` between.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell_results in results:
        writer.writerows(seed_rows(cell_results))
    path = Path(directory) / "seeds.csv"
    write_text(path, text.getvalue())
    return path


def seed_rows(results: CellResults) -> Iterator[tuple[str, ...]]:
    """The rows of one cell, in `COLUMNS`."""
    final = {name: results.final(name) for name in SCALARS}
    for run, seed in enumerate(results.cell.seeds):
        yield (
            results.group_name,
            results.cell.architecture,
            str(seed),
            str(results.steps[-1]),
            ";".join(results.key_irreps(run)),
            *(repr(float(values[run])) for values in final.values()),
        )
