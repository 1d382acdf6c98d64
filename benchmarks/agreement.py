"""Check whether a faster precision gives the same table, within the spread of seeds.

python benchmarks/agreement.py --reference=DIR --other=DIR [--out=F.json]

Two workdirs of the same cells, trained in full float32 and in another precision. A cell
agrees in a metric of Table 3 where the mean over its runs lies between the smallest and
the largest value of the reference's runs; runs that diverged count in neither. Its key
sets agree where a permutation test does not tell the laws of both apart at 5 %.
"""

import sys
from collections.abc import Iterator
from typing import Any

from absl import flags

from benchmarks import timing
from repjax import command_line
from repjax.engine import backend
from repjax.report.means import NOT_TRAINING, headings
from repjax.settings.config import flatten
from repjax.settings.rules import ConfigError
from repjax.statistics.comparison import same_law
from repjax.storage.files import as_path
from repjax.storage.results import CellResults, load_workdir

_FLAGS = flags.FlagValues()
_REFERENCE = flags.DEFINE_string(
    "reference", None, "Workdir in full float32.", flag_values=_FLAGS
)
_OTHER = flags.DEFINE_string(
    "other", None, "Workdir in another precision.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)

COLUMNS = (
    *("cell", "metric", "smallest", "mean_of_other", "largest", "p_value", "agrees"),
)

KEY_SETS = "key_sets"

LEVEL = 0.05
"""p-value below which the key sets of two workdirs count as distinguishable."""


def main() -> None:
    """Compare all cells that both workdirs have."""
    reference = _cells("reference", _REFERENCE.value)
    other = _cells("other", _OTHER.value)
    both = [name for name in reference if name in other]
    if not both:
        raise ConfigError("--other: shares no finished cell with --reference")
    for name in sorted(reference.keys() ^ other.keys()):
        print(f"repjax: {name} is in only one of the workdirs", file=sys.stderr)
    for name in both:
        _check_alike(reference[name], other[name])
    backend.prepare()
    rows = [row for name in both for row in compare(reference[name], other[name])]
    timing.report(rows, COLUMNS, _OUT.value)
    for what, of_sets in (("means", False), ("laws of key sets", True)):
        agree = [
            row["agrees"] for row in rows if (row["metric"] == KEY_SETS) is of_sets
        ]
        print(f"{sum(agree)} of {len(agree)} {what} agree")


def _cells(flag: str, workdir: str | None) -> dict[str, CellResults]:
    if workdir is None:
        raise ConfigError(f"--{flag}: missing; use a workdir with trained cells")
    return {cell.cell.name: cell for cell in load_workdir(as_path(workdir))}


def _check_alike(reference: CellResults, other: CellResults) -> None:
    """Raise `ConfigError` if more than the precision differs, or all runs diverged."""
    ours, theirs = (flatten(cell.cell.to_json()) for cell in (reference, other))
    for key, value in ours.items():
        relevant = (
            key != "matmul_precision" and key.partition(".")[0] not in NOT_TRAINING
        )
        if relevant and theirs[key] != value:
            raise ConfigError(
                f"--other: {key} {theirs[key]} of {other.cell.name} is not allowed; "
                f"use a workdir with {value}, as in --reference"
            )
    for flag, cell in (("reference", reference), ("other", other)):
        if cell.diverged.all():
            raise ConfigError(f"--{flag}: every run of {cell.cell.name} diverged")


def compare(reference: CellResults, other: CellResults) -> Iterator[dict[str, Any]]:
    """Yield a row for each metric of the table, and one for the key sets."""
    about = {
        "cell": reference.cell.name,
        "precisions": [c.cell.matmul_precision for c in (reference, other)],
        "runs": [int((~c.diverged).sum()) for c in (reference, other)],
    }
    for metric in headings(reference.cell.architecture):
        spread = reference.final(metric)[~reference.diverged]
        smallest, largest = float(spread.min()), float(spread.max())
        mean = float(other.final(metric)[~other.diverged].mean())
        yield {
            **about,
            "metric": metric,
            "smallest": smallest,
            "mean_of_other": mean,
            "largest": largest,
            "p_value": None,
            "agrees": smallest <= mean <= largest,
        }
    test = same_law(*(c.is_key[~c.diverged] for c in (reference, other)))
    yield {
        **about,
        "metric": KEY_SETS,
        "smallest": None,
        "mean_of_other": None,
        "largest": None,
        "p_value": test.p_value,
        "agrees": test.p_value >= LEVEL,
    }


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
