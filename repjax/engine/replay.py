"""Weights of finished runs at earlier steps, by training again from the start.

A run depends on its settings and its seed alone, so that on the same kind of processor
its weights have the same bits the second time.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from repjax.engine import backend
from repjax.engine.costs import CORE, RATES, Layout, estimate, rate_of
from repjax.engine.parts import build_ensemble
from repjax.engine.placement import plan_for
from repjax.settings.config import CellConfig


def seconds_to(cell: CellConfig, step: int) -> float:
    """Return the estimated seconds of compiling and of training a cell up to `step`."""
    kind, plan = backend.device_kind(), plan_for(cell)
    parts = estimate(
        [[replace(cell, num_steps=max(step, 1))]],
        [Layout(plan.teams, plan.sharing, plan.at_once)],
        num_programs=1,
        rate=rate_of(kind) or RATES[CORE],
        on_cpu=kind == "cpu",
    )
    return parts["compilation"] + parts["training"]


def weights_at(cell: CellConfig, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """Return each weight of every run of a cell, each run's at its own step.

    All runs are trained together up to the last of the steps.

    Args:
        cell: the cell, trained here before or not.
        steps: step of each run, in the order of `cell.seeds`.
    """
    ensemble: Any = build_ensemble([cell])
    state, now = ensemble.init(), 0
    kept: dict[str, np.ndarray] = {}
    for step in sorted({*map(int, steps)}):
        if step > now:
            state, _ = ensemble.train(state, step - now)
            now = step
        weights = ensemble.weights(state)
        mine = np.flatnonzero(np.asarray(steps) == step)
        for name, values in weights.items():
            kept.setdefault(name, np.empty_like(values))[mine] = values[mine]
    return kept
