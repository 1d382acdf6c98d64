"""Merge runs that differ only in their seed, from any number of workdirs.

Shards, later seeds and other workdirs with the same group, architecture and settings
are merged. A repeated seed is the same run and counts once. Imported networks, whose
past is unknown, are kept separate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from repjax.report.means import NOT_TRAINING
from repjax.settings.architectures import concerns
from repjax.settings.config import SWEEPABLE, flatten
from repjax.statistics.phases import has_past
from repjax.storage.results import CellResults


@dataclass(frozen=True, eq=False)
class Merged:
    """Runs of one group, architecture and settings.

    Attributes:
        results: results of all runs, by increasing seed; named by the settings that
            vary between cells of the same group and architecture. Steps are those of
            all its cells; a metric is NaN where a run was not measured.
        sources: for each run, the index of its cell and its index in that cell.
        repeated: seeds that occurred more than once.
    """

    results: CellResults
    sources: tuple[tuple[int, int], ...]
    repeated: tuple[int, ...]


def merge(cells: Sequence[CellResults]) -> tuple[Merged, ...]:
    """Merge the runs of `cells` by group, architecture and settings."""
    parts: dict[tuple, list[int]] = {}
    for index, results in enumerate(cells):
        settings = tuple(_settings(results).items())
        imported = not has_past(results).any()
        # A file called A5.csv may hold any group, so it never joins A5's cell.
        from_file = results.cell.group != results.group_name
        key = (results.group_name, from_file, results.irreps, settings, imported)
        parts.setdefault(key, []).append(index)
    merged = [_join(cells, indices) for indices in parts.values()]
    named = [
        replace(one, results=_named(one.results, [other.results for other in merged]))
        for one in merged
    ]
    return tuple(sorted(named, key=lambda one: one.results.cell.name))


def unique_names(parts: Sequence[Merged]) -> tuple[str, ...]:
    """Return a name for each part; the second of equal ones ends in `_2`.

    Imported and trained runs have the same name, and so have table files of one name.
    """
    names = [one.results.cell.name for one in parts]
    before = [names[:index].count(name) for index, name in enumerate(names)]
    return tuple(
        f"{name}_{same + 1}" if same else name
        for name, same in zip(names, before, strict=True)
    )


def _settings(results: CellResults) -> dict[str, Any]:
    """Return settings by dotted key: those of training, the seed apart, and swept ones.

    A sweep may vary what training does not depend on, as the number of evaluations.
    """
    cell = results.cell
    apart = {*NOT_TRAINING, "group", "swept"}

    def counts(key: str) -> bool:
        section = key.partition(".")[0]
        of_training = section not in apart and concerns(section, cell.architecture)
        return of_training or key in cell.swept

    return {key: x for key, x in flatten(cell.to_json()).items() if counts(key)}


def _named(results: CellResults, others: Sequence[CellResults]) -> CellResults:
    """Return `results`, swept over the settings that distinguish it from `others`."""
    mine = _settings(results)
    rivals = [
        _settings(other)
        for other in others
        if other.group_name == results.group_name
        and other.cell.architecture == results.cell.architecture
    ]
    own = results.cell.swept
    others_vary = tuple(
        key
        for key in SWEEPABLE
        if key in mine
        and key not in own
        and any(rival.get(key, mine[key]) != mine[key] for rival in rivals)
    )
    swept = (*own, *others_vary)
    return replace(results, cell=replace(results.cell, swept=swept))


def _join(cells: Sequence[CellResults], indices: Sequence[int]) -> Merged:
    """Join the runs of cells with equal settings."""
    source: dict[int, tuple[int, int]] = {}
    repeated = set()
    for index in indices:
        for run, seed in enumerate(cells[index].cell.seeds):
            if seed in source:
                repeated.add(seed)
            else:
                source[seed] = (index, run)
    seeds = sorted(source)
    first = cells[indices[0]]
    steps = np.unique(np.concatenate([cells[index].steps for index in indices]))
    names = sorted({name for index in indices for name in cells[index].metrics})
    place = {index: np.searchsorted(steps, cells[index].steps) for index in indices}

    def table(name: str) -> np.ndarray:
        known = next(
            cells[index].metrics[name]
            for index in indices
            if name in cells[index].metrics
        )
        shape = (len(seeds), len(steps), *known.shape[2:])
        values = np.full(shape, np.nan, known.dtype)
        for row, seed in enumerate(seeds):
            index, run = source[seed]
            if name in cells[index].metrics:
                values[row, place[index]] = cells[index].metrics[name][run]
        return values

    return Merged(
        results=CellResults(
            cell=replace(first.cell, seeds=tuple(seeds)),
            irreps=first.irreps,
            irrep_dims=first.irrep_dims,
            steps=steps,
            metrics={name: table(name) for name in names},
        ),
        sources=tuple(source[seed] for seed in seeds),
        repeated=tuple(sorted(repeated)),
    )
