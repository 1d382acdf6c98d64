"""Our numbers beside those that the paper's authors published for the same networks.

python -m repjax.published RUN_DIR… --workdir=DIR &&
python benchmarks/parity.py RUN_DIR… --workdir=DIR --out=docs/published.md
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from absl import flags
from tabulate import tabulate

from repjax import command_line
from repjax.files import write_text
from repjax.metrics import SCALARS
from repjax.reference.formats import short_name
from repjax.reference.runs import read_cfg
from repjax.results import CellResults, load_workdir
from repjax.rules import ConfigError

_FLAGS = flags.FlagValues()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the runs were imported.", flag_values=_FLAGS
)
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
python -m repjax.published RUN_DIR… --workdir=runs/published && \\
python benchmarks/parity.py RUN_DIR… --workdir=runs/published
```

Key irreps are the same set in {same_keys} of {num_runs} runs; elsewhere the wrong
matrices of A5 (erratum 1) find one more than there is. The largest relative difference
in a column that no erratum touches is {worst:.1e}
({where}). A loss near 1e-16 (S6 transformer) is published with the resolution of
float64, so that erratum 3 is not a factor of 8 there.

## Largest relative difference

Of each column over the runs of each cell. In brackets, after its number in
[errata.md](errata.md), where an erratum touches the published value: there the value
here is the exact one.

{summary}

## Every run

Ours, published, and the difference relative to the published value.
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
        """Relative to the published value; nan where that is 0."""
        if not self.published:
            return math.nan
        return abs(self.ours - self.published) / abs(self.published)


def erratum_of(group: str, architecture: str, column: str) -> int | None:
    """The erratum that touches a column of a cell of the paper, None if none does."""
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
    """All columns of one run."""
    published = json.loads((directory / "summary_metrics.json").read_text())
    for column in SCALARS:
        yield Comparison(
            cell=results.cell.name,
            seed=results.cell.seeds[run],
            column=column,
            ours=float(results.final(column)[run]),
            published=float(published[PUBLISHED_NAMES[column]]),
            erratum=erratum_of(results.group_name, results.cell.architecture, column),
        )


def published_keys(directory: Path) -> set[str]:
    """Key irreps as the authors list them, in our names."""
    names = (directory / "key_reps_in_order.txt").read_text().split()
    return {short_name(name) for name in names}


def locate(
    run_dirs: Sequence[str], workdir: Path
) -> Iterator[tuple[CellResults, int, Path]]:
    """For each folder of the authors', its cell and its place there."""
    cells = load_workdir(workdir)
    for directory in map(Path, run_dirs):
        wanted = read_cfg(directory)
        found = [
            (results, results.cell.seeds.index(*wanted.seeds))
            for results in cells
            if replace(results.cell, seeds=wanted.seeds, swept=()) == wanted
            and wanted.seeds[0] in results.cell.seeds
        ]
        if not found:
            raise ConfigError(f"{directory}: not in {workdir}; import it first")
        yield *found[0], directory


def main(run_dirs: Sequence[str]) -> None:
    """Compares and writes the page."""
    if not _WORKDIR.value:
        raise ConfigError("--workdir: missing; use one that runs were imported to")
    comparisons: list[Comparison] = []
    same_keys = 0
    for results, run, directory in locate(run_dirs, Path(_WORKDIR.value)):
        comparisons += compare(results, run, directory)
        same_keys += set(results.key_irreps(run)) == published_keys(directory)
    write_text(Path(_OUT.value), page(comparisons, same_keys))


def page(comparisons: Sequence[Comparison], same_keys: int) -> str:
    """The page as Markdown."""
    runs = list(dict.fromkeys((c.cell, c.seed) for c in comparisons))
    untouched = [c for c in comparisons if c.erratum is None]
    worst = max(untouched, key=lambda c: c.difference)
    parts = [
        INTRODUCTION.format(
            num_runs=len(runs),
            same_keys=same_keys,
            worst=worst.difference,
            where=f"`{worst.column}` of {worst.cell}, seed {worst.seed}",
            summary=summary(comparisons),
        )
    ]
    for cell, seed in runs:
        rows = [
            [c.column, f"{c.ours:.7g}", f"{c.published:.7g}", _show([c])]
            for c in comparisons
            if (c.cell, c.seed) == (cell, seed)
        ]
        headers = [f"{cell}, seed {seed}", "ours", "published", "difference"]
        parts.append(tabulate(rows, headers, "pipe", disable_numparse=True) + "\n")
    return "\n".join(parts)


def summary(comparisons: Sequence[Comparison]) -> str:
    """Cells × columns, the largest difference in each."""
    cells = list(dict.fromkeys(c.cell for c in comparisons))
    rows = [
        [
            column,
            *(
                _show([c for c in comparisons if (c.cell, c.column) == (cell, column)])
                for cell in cells
            ),
        ]
        for column in SCALARS
    ]
    return tabulate(rows, ["", *cells], "pipe", disable_numparse=True)


def _show(same: Sequence[Comparison]) -> str:
    """The largest difference among comparisons of one column of one cell."""
    largest = max(c.difference for c in same)
    text = "–" if math.isnan(largest) else f"{largest:.1e}"
    return text if same[0].erratum is None else f"({same[0].erratum}: {text})"


if __name__ == "__main__":
    command_line.run(main, _FLAGS, operands="RUN_DIR")
