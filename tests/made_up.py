"""Results that nobody trained: small, and with known answers."""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import ArrayLike

from experiments.base import get_config
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.settings.config import CellConfig, RunSettings, from_config_dict
from repjax.storage.results import CellResults

IRREPS = ("trivial", "sign", "2d", "standard")


def make_cell(
    group: str = "S4", architecture: str = "mlp", seeds: tuple[int, ...] = (1, 2)
) -> CellConfig:
    config = from_config_dict(get_config())
    settings = {
        field.name: getattr(config, field.name) for field in fields(RunSettings)
    }
    return CellConfig(**settings, group=group, architecture=architecture, seeds=seeds)


def make_results(cell: CellConfig | None = None, **final: ArrayLike) -> CellResults:
    """Four evaluations at steps 0, 1, 10, 100.

    Every scalar metric is .5, and .25 at the end; the test accuracy ends at 1, and all
    steps were trained. Those by irrep are 0. `final` sets the last value of a scalar
    metric, one for all runs or one for each.
    """
    cell = cell or make_cell()
    final = {"test_accuracy": 1.0, "trained_steps": 100} | final
    shape = (len(cell.seeds), 4)
    metrics = {name: np.full(shape, 0.5) for name in (*SCALARS, *EXPLAINED, *COUNTS)}
    for name in metrics:
        metrics[name][:, -1] = final.pop(name, 0.25)
    assert not final
    metrics |= {name: np.zeros((*shape, len(IRREPS))) for name in PER_IRREP}
    return CellResults(cell, IRREPS, (1, 1, 2, 3), np.array([0, 1, 10, 100]), metrics)


def with_similarity(
    results: CellResults, run: int, similarity: ArrayLike
) -> CellResults:
    """`similarity` (evaluation, irrep) in place of one run's logit similarity."""
    changed = results.metrics["logit_similarity"].copy()
    changed[run] = similarity
    return replace(results, metrics=results.metrics | {"logit_similarity": changed})
