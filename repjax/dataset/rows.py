"""Fill the columns of a dataset from the results of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from repjax.dataset.measures import COUNTS, ENERGIES, EXPLAINED, PER_IRREP, SCALARS
from repjax.groups.facts import IrrepFacts
from repjax.report.merging import Merged
from repjax.settings.architectures import concerns
from repjax.settings.config import SWEEPABLE, CellConfig, flatten
from repjax.statistics.phases import courses, has_past

Rows = dict[str, Any]
"""A list or array for each column; NaN and None are missing values."""


@dataclass(frozen=True)
class GroupFacts:
    """What the files say of a group.

    Attributes:
        order: number of its elements.
        small_group: its name in the Small Groups Library, None above order 100.
        irreps: its real irreps by name.
    """

    order: int
    small_group: str | None
    irreps: Mapping[str, IrrepFacts]


@dataclass(frozen=True, eq=False)
class Part:
    """Runs that differ only in their seed: consecutive rows of every file.

    Attributes:
        name: value of the column `cell`; unique in a dataset.
        group: facts about their group.
        merged: their results.
        cells: cells that `merged.sources` counts.
        energies: `repjax.initial.energies` of all runs; missing ones are NaN or absent.
    """

    name: str
    group: GroupFacts
    merged: Merged
    cells: Sequence[CellConfig]
    energies: Mapping[str, Float[np.ndarray, "run irrep"]]


def rows(part: Part) -> dict[str, Rows]:
    """Return the rows of each file, by its name without ending."""
    return {
        "runs": run_rows(part),
        "irreps": irrep_rows(part),
        "evaluations": evaluation_rows(part),
    }


def run_rows(part: Part) -> Rows:
    """Return one row for each run, by increasing seed."""
    results, count = part.merged.results, part.merged.results.num_runs
    found = courses(results)
    sources = [index for index, _ in part.merged.sources]
    settings = {index: settings_of(part.cells[index]) for index in {*sources}}
    return {
        "cell": [part.name] * count,
        "seed": list(results.cell.seeds),
        "group": [part.cells[index].group for index in sources],
        "small_group": [part.group.small_group] * count,
        "order": [part.group.order] * count,
        "num_irreps": [len(results.irreps)] * count,
        "architecture": [results.cell.architecture] * count,
        **{key: [settings[index][key] for index in sources] for key in SWEEPABLE},
        "imported": [not has_past(results).any()] * count,
        "diverged": results.diverged,
        "generalised": results.generalised,
        "generalised_step": [course.generalised for course in found],
        "memorised_step": [course.memorised for course in found],
        "key_irreps": [results.key_irreps(run) for run in range(count)],
        **{
            column.name: _metric(part, column.name)[:, -1]
            for column in (*SCALARS, *EXPLAINED, *COUNTS)
        },
    }


def irrep_rows(part: Part) -> Rows:
    """Return one row for each run and irrep, by seed, then as `results.irreps`."""
    results, count = part.merged.results, part.merged.results.num_runs
    num_irreps = len(results.irreps)
    facts = [part.group.irreps[name] for name in results.irreps]
    blank = np.full((count, num_irreps), np.nan)
    known = np.isfinite(results.learned_step) & has_past(results)[:, None]

    def of_irreps(values: Sequence[Any]) -> list[Any]:
        return [*values] * count

    return {
        "cell": [part.name] * (count * num_irreps),
        "seed": np.repeat(results.cell.seeds, num_irreps),
        "irrep": of_irreps(results.irreps),
        "index": of_irreps(range(num_irreps)),
        "dim": of_irreps(results.irrep_dims),
        "type": of_irreps([irrep.type for irrep in facts]),
        "kernel": of_irreps([irrep.kernel for irrep in facts]),
        "faithful": of_irreps([irrep.kernel == 1 for irrep in facts]),
        "orbit": of_irreps([irrep.orbit for irrep in facts]),
        "is_key": results.is_key.ravel(),
        "learned_step": np.where(known, results.learned_step, np.nan).ravel(),
        **{
            column.name: _metric(part, column.name, num_irreps)[:, -1].ravel()
            for column in PER_IRREP
        },
        **{
            column.name: part.energies.get(column.name, blank).ravel()
            for column in ENERGIES
        },
    }


def evaluation_rows(part: Part) -> Rows:
    """Return one row for each run and step at which it was measured."""
    results = part.merged.results
    metrics = {
        column.name: _metric(part, column.name)
        for column in (*SCALARS, *EXPLAINED, *COUNTS)
    }
    # Merged runs have blanks where only others were measured.
    measured = np.any([~np.isnan(values) for values in metrics.values()], axis=0)
    run, evaluation = np.nonzero(measured)
    return {
        "cell": [part.name] * len(run),
        "seed": np.array(results.cell.seeds)[run],
        "step": results.steps[evaluation],
        **{name: values[run, evaluation] for name, values in metrics.items()},
        "logit_similarity": results.metrics["logit_similarity"][run, evaluation],
    }


def settings_of(cell: CellConfig) -> dict[str, Any]:
    """Return every setting by dotted key; None where its architecture has none."""
    values = flatten(asdict(cell))
    return {
        key: values[key] if concerns(key.partition(".")[0], cell.architecture) else None
        for key in SWEEPABLE
    }


def _metric(part: Part, name: str, *irreps: int) -> np.ndarray:
    """Return a metric, NaN where results of an older version lack it."""
    results = part.merged.results
    if name in results.metrics:
        return results.metrics[name]
    return np.full((results.num_runs, len(results.steps), *irreps), np.nan)
