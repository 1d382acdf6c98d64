"""analysis.json: the analysis and course of every run, and statistics over runs.

{"version", "cells", "comparisons", "runs", "periodic_table"}. Losses are in nats,
shares in [0, 1], steps in optimiser steps; null stands for values that were not
measured or do not exist. Names are those of docs/metrics.md and docs/selection.md.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from repjax import __version__
from repjax.metrics import EXPLAINED, SCALARS
from repjax.report.learning import shown_irreps
from repjax.report.numbers import estimate_numbers, numbers, share_numbers
from repjax.report.periodic import Square
from repjax.report.selection_numbers import comparison_numbers, selection_numbers
from repjax.report.selection_words import corrected_exchangeability
from repjax.report.story import Anatomy, Report, Story
from repjax.statistics.intervals import Share
from repjax.statistics.phases import Course, Phase, measured
from repjax.statistics.universality import Universality
from repjax.storage.files import write_text

FVE = {
    "w_a": "irrep_fve_w_a",
    "w_b": "irrep_fve_w_b",
    "w_u": "irrep_fve_w_u",
    "hidden_a": "hidden_a",
    "hidden_b": "hidden_b",
    "hidden_ab": "hidden_ab",
}
ABLATIONS = {
    "restricted_loss": "irrep_restricted_loss",
    "excluded_loss": "irrep_excluded_loss",
    "without_a_loss": "without_a_loss",
    "without_b_loss": "without_b_loss",
    "without_ab_loss": "without_ab_loss",
}
PROGRESS = {
    "logit_similarity": "logit_similarity",
    **FVE,
    "restricted_loss": "irrep_restricted_loss",
    "excluded_loss": "irrep_excluded_loss",
}
"""Measures of single irreps along training; trajectory.npz has them all."""

PROGRESS_DIGITS = 5
"""Digits of measures along training: a run of 100 evaluations then takes 50 KB."""

MOST_PROGRESS = 200
"""Runs of a cell up to which measures along training are written: 10,000 runs would
take 400 MB. They are in trajectory.npz, and in the tables of `repjax.dataset`."""

CLUSTERS = {"rho_a": "cluster_a", "rho_b": "cluster_b", "rho_ab": "cluster_ab"}


def write_analysis(report: Report, directory: Path) -> tuple[Path, ...]:
    """Write `directory`/analysis.json; the same report gives the same bytes."""
    path = Path(directory) / "analysis.json"
    write_text(path, _lines(analysis(report)))
    return (path,)


def _lines(content: Mapping[str, Any]) -> str:
    """Return JSON with a line per cell, run and square, so that diffs are readable."""

    def compact(value: Any) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def lines(value: Any) -> str:
        if not isinstance(value, list):
            return compact(value)
        return "[\n" + ",\n".join(map(compact, value)) + "\n]"

    entries = (f"{compact(key)}: {lines(value)}" for key, value in content.items())
    return "{\n" + ",\n".join(entries) + "\n}\n"


def analysis(report: Report) -> dict[str, Any]:
    """Return the content of analysis.json."""
    adjusted = corrected_exchangeability(report.stories)
    return {
        "version": __version__,
        "cells": [_cell(story, adjusted.get(story.name)) for story in report.stories],
        "comparisons": comparison_numbers(report.comparisons),
        "runs": [
            run_numbers(story, run)
            for story in report.stories
            for run in range(story.results.num_runs)
        ],
        "periodic_table": [
            _square(square)
            | {"cells": {name: _square(s) for name, s in square.by_story.items()}}
            for square in report.squares
        ],
    }


def run_numbers(story: Story, run: int) -> dict[str, Any]:
    """Return the final numbers of one run, and the course of its training."""
    results = story.results
    course = story.courses[run]

    def by_irrep(metric: str) -> dict[str, Any]:
        return dict(zip(results.irreps, _final(story, metric, run), strict=True))

    def table(columns: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        values = {name: by_irrep(metric) for name, metric in columns.items()}
        return {
            irrep: {name: column[irrep] for name, column in values.items()}
            for irrep in results.irreps
        }

    similarity = by_irrep("logit_similarity")
    fve = table(FVE)
    for irrep, shares in fve.items():
        value = similarity[irrep]
        shares["logits"] = None if value is None else value**2
    return {
        "cell": story.name,
        "group": results.group_name,
        "architecture": results.cell.architecture,
        "settings": results.settings,
        "seed": results.cell.seeds[run],
        "steps": int(results.steps[-1]),
        "imported": story.imported,
        "generalised": bool(results.generalised[run]),
        **{name: _final(story, name, run) for name in (*SCALARS, *EXPLAINED)},
        "neurons_off": _count(_final(story, "neurons_off", run)),
        "neurons_disagreeing": _count(_final(story, "neurons_disagreeing", run)),
        "loss": _loss(story, run),
        "key_irreps": _key_irreps(story, run),
        **_course(course),
        "progress": _progress(story, run),
        "logit_similarity": similarity,
        "logit_map_similarity": by_irrep("logit_map_similarity"),
        "fve": fve,
        "ablations": table(ABLATIONS),
        "clusters": _clusters(by_irrep("cluster_neurons"), table(CLUSTERS)),
        "anatomy": _anatomy(results.irreps, story.anatomies.get(run)),
    }


def _final(story: Story, metric: str, run: int) -> Any:
    """Return the final value of a metric, or its values by irrep; null if unknown."""
    return numbers(story.results.metrics[metric][run, -1])


def _count(value: float | None) -> int | None:
    return None if value is None else round(value)


def _loss(story: Story, run: int) -> float | None:
    """Loss over all pairs: the mean of train and test loss, weighted by their pairs."""
    train, test = (_final(story, f"{name}_loss", run) for name in ("train", "test"))
    if story.results.cell.whole_table:
        return train
    if train is None or test is None:
        return None
    num_pairs = story.order**2
    share = int(story.results.cell.train_fraction * num_pairs) / num_pairs
    return share * train + (1 - share) * test


def _key_irreps(story: Story, run: int) -> list[dict[str, Any]]:
    """Key irreps in order of learning, with the step at which each was learned."""
    results, known = story.results, story.courses[run].has_past
    steps = dict(zip(results.irreps, results.learned_step[run], strict=True))
    return [
        {"irrep": irrep, "step": _step(steps[irrep] if known else math.inf)}
        for irrep in results.key_irreps(run)
    ]


def _step(step: float) -> int | None:
    return int(step) if math.isfinite(step) else None


def _course(course: Course) -> dict[str, Any]:
    def ends(phase: Phase | None) -> dict[str, int] | None:
        return {"start": phase.start, "end": phase.end} if phase else None

    return {
        "memorised_step": course.memorised,
        "generalised_step": course.generalised,
        "phases": {
            "memorisation": ends(course.memorisation),
            "circuit_formation": ends(course.circuit_formation),
            "cleanup": ends(course.cleanup),
        },
    }


def _progress(story: Story, run: int) -> dict[str, Any] | None:
    """Progress measures at every evaluation; null where the past is unknown.

    Measures by irrep include only irreps that the run learned, if only for a time. Null
    in cells of more than `MOST_PROGRESS` runs.
    """
    results = story.results
    if not story.courses[run].has_past or results.num_runs > MOST_PROGRESS:
        return None
    known = measured(results)[run]

    def curve(values: np.ndarray) -> list[float | None]:
        digits = (float(f"{value:.{PROGRESS_DIGITS}g}") for value in values[known])
        return [numbers(value) for value in digits]

    def curves(irrep: int) -> dict[str, list[float | None]]:
        return {
            name: curve(results.metrics[metric][run, :, irrep])
            for name, metric in PROGRESS.items()
        }

    return {
        "steps": results.steps[known].tolist(),
        **{name: curve(results.metrics[name][run]) for name in (*SCALARS, *EXPLAINED)},
        "irreps": {
            results.irreps[irrep]: curves(irrep)
            for irrep in np.flatnonzero(shown_irreps(results, run)).tolist()
        },
    }


def _clusters(
    neurons: Mapping[str, float | None], shares: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]] | None:
    """Return the clusters that have neurons, by irrep; None if not measured."""
    if None in neurons.values():
        return None
    return {
        irrep: {
            "neurons": _count(number),
            **shares[irrep],
            "residual": 1 - sum(shares[irrep].values()),
        }
        for irrep, number in neurons.items()
        if number
    }


def _anatomy(irreps: Iterable[str], anatomy: Anatomy | None) -> dict[str, Any] | None:
    if anatomy is None:
        return None
    distances = numbers(anatomy.logit_map_distances)
    return {
        "loss": numbers(anatomy.loss),
        "key_space_loss": numbers(anatomy.key_space_loss),
        "complement_loss": numbers(anatomy.complement_loss),
        "logit_map_distance": dict(zip(irreps, distances, strict=True)),
        "neurons": {
            irrep: np.flatnonzero(members).tolist()
            for irrep, members in zip(irreps, anatomy.in_cluster, strict=True)
            if members.any()
        },
        "neurons_off": np.flatnonzero(anatomy.is_off).tolist(),
    }


def _cell(story: Story, adjusted: tuple[float, float] | None) -> dict[str, Any]:
    results = story.results
    irreps = zip(results.irreps, results.irrep_dims, story.types, strict=True)
    return {
        "cell": story.name,
        "group": results.group_name,
        "order": story.order,
        "architecture": results.cell.architecture,
        "settings": results.settings,
        "imported": story.imported,
        "config": results.cell.to_json(),
        "irreps": [{"irrep": i, "dim": d, "type": t} for i, d, t in irreps],
        "statistics": _statistics(story.universality),
        "selection": (
            None
            if story.selection is None
            else selection_numbers(story.selection, adjusted)
        ),
        "rivals": None if story.rivals is None else _rivals(story),
    }


def _rivals(story: Story) -> dict[str, Any]:
    """Return docs/explanations.md's quantities, a list over the runs of each.

    Times are left out: the same networks give the same bytes.
    """
    assert story.rivals is not None
    return {
        name: numbers(values)
        for name, values in sorted(story.rivals.items())
        if not name.endswith("_seconds")
    }


def _statistics(counts: Universality) -> dict[str, Any]:
    def by_irreps(table: Mapping[tuple[str, ...], Share]) -> list[dict[str, Any]]:
        return [
            {"irreps": list(irreps)} | share_numbers(value)
            for irreps, value in table.items()
        ]

    return {
        "runs": counts.num_runs,
        "generalised": share_numbers(counts.generalised),
        "irreps": {
            irrep.name: {
                "learned": share_numbers(irrep.learned),
                "places": [share_numbers(place) for place in irrep.places],
                "step": estimate_numbers(irrep.step),
            }
            for irrep in counts.irreps
        },
        "num_key_irreps": {
            str(n): share_numbers(value) for n, value in counts.num_key.items()
        },
        "mean_num_key_irreps": estimate_numbers(counts.mean_num_key),
        "key_sets": by_irreps(counts.key_sets),
        "orders": by_irreps(counts.orders),
    }


def _square(square: Square) -> dict[str, Any]:
    return {
        "group": square.group,
        "order": square.order,
        "irrep": square.irrep,
        "dim": square.dim,
        "type": square.type,
        "learned": share_numbers(square.learned),
        "step": estimate_numbers(square.step),
        "explained_hidden": estimate_numbers(square.explained_hidden),
        "explained_logits": estimate_numbers(square.explained_logits),
    }
