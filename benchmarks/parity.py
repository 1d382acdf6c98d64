"""Compare our numbers with those that the authors published for the same networks.

python benchmarks/parity.py RUN_DIR… [--out=docs/published.md]

Imports the runs into a workdir of its own, measures them as `repjax.table3` does, and
writes the page. Needs the extra `torch`. 18 runs in ten cells, S6 among them, take 39
CPU seconds and 0.9 GB on 2 cores if nothing was compiled before.
"""

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from absl import flags
from tabulate import tabulate

from repjax import command_line, published, table3
from repjax.reference.formats import short_name
from repjax.reference.runs import PublishedRun, read_run, require_torch
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import write_text
from repjax.storage.results import CellResults
from repjax.storage.workdirs import cell_directories

_FLAGS = flags.FlagValues()
_OUT = flags.DEFINE_string(
    "out", "docs/published.md", "The page to write.", flag_values=_FLAGS
)

PUBLISHED_NAMES = {
    "train_loss": "train_loss",
    "test_loss": "test_loss",
    "train_accuracy": "train_acc",
    "test_accuracy": "test_acc",
    "excluded_loss": "total_hidden_excluded_loss",
    "restricted_loss": "total_hidden_restricted_loss",
    "fve_logits": "percent_logits_explained",
    "fve_w_a": "percent_x_embed_explained",
    "fve_w_b": "percent_y_embed_explained",
    "fve_w_u": "percent_unembed_explained",
    "fve_mlp": "percent_hidden_explained",
    "fve_mlp_ab": "percent_hidden_xy_explained",
    "weight_norm_sq": "sum_of_squared_weights",
}
"""Column of seeds.csv → its name in summary_metrics.json."""

_HIDDEN = {"fve_mlp", "fve_mlp_ab", "excluded_loss", "restricted_loss"}
ERRATA = {
    1: _HIDDEN | {"fve_logits", "fve_w_a", "fve_w_b", "fve_w_u"},
    2: _HIDDEN,
    3: {"train_loss", "test_loss", "excluded_loss", "restricted_loss"},
    4: {"weight_norm_sq"},
}
"""Number in docs/errata.md → columns it touches."""

INTRODUCTION = """# The authors' networks, scored here

{num_runs} of the networks that the authors of the paper published, imported by
`repjax.published`. This page is written by

```
python benchmarks/parity.py RUN_DIR…
```

The sets of key irreps are equal in {same_keys} of {num_runs} runs. In the others
({others}) the wrong matrices of A5 (erratum 1) add one irrep. The largest
relative difference in a column that no erratum touches is {worst:.1e}
({where}).

## Largest relative difference

The maximum of each column over the runs of each cell. Brackets mark published values
that an erratum touches, with its number in [errata.md](errata.md): there our value is
the exact one.

{summary}

## Every run

Our value, the published value, and their difference relative to the published value.
"""


@dataclass(frozen=True)
class Comparison:
    """One column of one run.

    Attributes:
        cell: name of the cell.
        seed: seed of the run.
        column: as in seeds.csv.
        ours: value here.
        published: value in summary_metrics.json.
        erratum: number of the erratum that touches the published value, or None.
    """

    cell: str
    seed: int
    column: str
    ours: float
    published: float
    erratum: int | None

    @property
    def difference(self) -> float:
        """Difference relative to the published value; infinite where only that is 0."""
        if not self.published:
            return math.inf if self.ours else 0.0
        return abs(self.ours - self.published) / abs(self.published)


def erratum_of(group: str, architecture: str, column: str) -> int | None:
    """Return the erratum that touches a column of a cell of the paper, or None."""
    touching = {
        1: group == "A5",
        2: group.startswith("C"),
        3: (group, architecture) == ("S6", "transformer"),
        4: architecture == "transformer",
    }
    for number, here in touching.items():
        if here and column in ERRATA[number]:
            return number
    return None


def compare(results: CellResults, run: int, directory: Path) -> Iterator[Comparison]:
    """Yield the comparisons of all columns of one run."""
    published = json.loads((directory / "summary_metrics.json").read_text())
    for column in PUBLISHED_NAMES:
        yield Comparison(
            cell=results.cell.name,
            seed=results.cell.seeds[run],
            column=column,
            ours=float(results.final(column)[run]),
            published=float(published[PUBLISHED_NAMES[column]]),
            erratum=erratum_of(results.group_name, results.cell.architecture, column),
        )


def published_keys(directory: Path) -> set[str]:
    """Return the key irreps listed by the authors, in our names."""
    names = (directory / "key_reps_in_order.txt").read_text().split()
    return {short_name(name) for name in names}


def measure(runs: Sequence[PublishedRun]) -> Iterator[tuple[CellResults, int, Path]]:
    """Yield each run's cell, its index in the cell, and its folder."""
    with tempfile.TemporaryDirectory() as name:
        workdir = Path(name)
        if failures := published.write_runs(runs, workdir):
            raise ConfigError("; ".join(failures))
        cells = table3.final_results(cell_directories([workdir]))
    places = {
        (_settings(results.cell), seed): (results, place)
        for results in cells
        for place, seed in enumerate(results.cell.seeds)
    }
    for run in runs:
        yield *places[_settings(run.cell), run.cell.seeds[0]], run.directory


def _settings(cell: CellConfig) -> CellConfig:
    """Return the settings that runs of one cell share."""
    return replace(cell, seeds=(), swept=())


def main(run_dirs: Sequence[str]) -> None:
    """Compare all runs and write the page."""
    require_torch()
    measured = measure([read_run(Path(name)) for name in run_dirs])
    write_text(Path(_OUT.value), page(list(measured)))


def page(measured: Sequence[tuple[CellResults, int, Path]]) -> str:
    """Return the page as Markdown, from each run's cell, index and folder."""
    comparisons = [list(compare(*run)) for run in measured]
    others = [
        f"{results.cell.name}, seed {results.cell.seeds[run]}"
        for results, run, directory in measured
        if set(results.key_irreps(run)) != published_keys(directory)
    ]
    everything = [c for of_run in comparisons for c in of_run]
    untouched = [c for c in everything if c.erratum is None]
    worst = max(untouched, key=lambda c: c.difference)
    parts = [
        INTRODUCTION.format(
            num_runs=len(measured),
            same_keys=len(measured) - len(others),
            others="; ".join(others) or "none",
            worst=worst.difference,
            where=f"`{worst.column}` of {worst.cell}, seed {worst.seed}",
            summary=summary(everything),
        )
    ]
    for of_run in comparisons:
        rows = [
            [c.column, f"{c.ours:.7g}", f"{c.published:.7g}", _show([c])]
            for c in of_run
        ]
        run = f"{of_run[0].cell}, seed {of_run[0].seed}"
        headers = [run, "ours", "published", "difference"]
        parts.append(tabulate(rows, headers, "pipe", disable_numparse=True) + "\n")
    return "\n".join(parts)


def summary(comparisons: Sequence[Comparison]) -> str:
    """Return a table of cells × columns with the largest difference in each."""
    cells = list(dict.fromkeys(c.cell for c in comparisons))
    rows = [
        [
            column,
            *(
                _show([c for c in comparisons if (c.cell, c.column) == (cell, column)])
                for cell in cells
            ),
        ]
        for column in PUBLISHED_NAMES
    ]
    return tabulate(rows, ["", *cells], "pipe", disable_numparse=True)


def _show(same: Sequence[Comparison]) -> str:
    """Format the largest difference among comparisons of one column of one cell."""
    largest = max(c.difference for c in same)
    text = "–" if math.isinf(largest) else f"{largest:.1e}"
    return text if same[0].erratum is None else f"({same[0].erratum}: {text})"


if __name__ == "__main__":
    command_line.run(main, _FLAGS, operands="RUN_DIR")
