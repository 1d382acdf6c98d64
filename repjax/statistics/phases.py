"""Milestones and phases of one run: memorisation, circuit formation, cleanup.

Nanda et al., "Progress measures for grokking via mechanistic interpretability" (ICLR
2023), section 5, find the phases by eye: while the network memorises, excluded and
train loss fall together; while the circuit forms, excluded loss rises and restricted
loss falls; in the cleanup, test loss drops. docs/metrics.md has the rule used here. It
needs no slopes, so a dozen evaluations are enough.
"""

from dataclasses import dataclass

import numpy as np

from repjax.metrics import MEMORISED
from repjax.storage.results import CellResults

RISE = 0.1
"""A circuit forms if excluded loss rises above its minimum by more than this share."""

_CURVES = ("train_accuracy", "test_accuracy", "test_loss", "excluded_loss")


@dataclass(frozen=True)
class Phase:
    """A stretch of training, from one evaluated step to a later one."""

    start: int
    end: int


@dataclass(frozen=True)
class Course:
    """Milestones and phases of one run, in optimiser steps; None where not reached.

    Attributes:
        has_past: whether anything was measured before the last step; an imported
            network has none, and all else is None.
        memorised: first evaluated step with train accuracy of at least `MEMORISED`.
        generalised: first evaluated step at which it has generalised.
        memorisation: first phase; each phase ends where the next begins. None where
            every pair trains, for phases are told by test loss.
        circuit_formation: second phase.
        cleanup: third phase.
    """

    has_past: bool
    memorised: int | None
    generalised: int | None
    memorisation: Phase | None
    circuit_formation: Phase | None
    cleanup: Phase | None


NO_PAST = Course(False, None, None, None, None, None)


def measured(results: CellResults) -> np.ndarray:
    """Return whether each run was measured at each step: (run, evaluation) bool."""
    loss = "train_loss" if results.cell.whole_table else "test_loss"
    return np.isfinite(results.metrics[loss])


def has_past(results: CellResults) -> np.ndarray:
    """Return whether each run was measured before its last step: (run) bool."""
    return np.any(measured(results)[:, :-1], axis=1)


def courses(results: CellResults) -> tuple[Course, ...]:
    """Return the course of each run."""
    return tuple(
        _course(results, run) if past else NO_PAST
        for run, past in enumerate(has_past(results))
    )


def _course(results: CellResults, run: int) -> Course:
    """Return the course of one run, from evaluations at which all curves are finite."""
    if results.cell.whole_table:
        known = measured(results)[run]
        steps = results.steps[known].tolist()
        memorised = _first(results.metrics["train_accuracy"][run, known] >= MEMORISED)
        generalised = _first(results.has_generalised[run, known])
        return Course(
            has_past=True,
            memorised=None if memorised is None else steps[memorised],
            generalised=None if generalised is None else steps[generalised],
            memorisation=None,
            circuit_formation=None,
            cleanup=None,
        )
    curves = {name: results.metrics[name][run] for name in _CURVES}
    finite = np.all([np.isfinite(curve) for curve in curves.values()], axis=0)
    steps = results.steps[finite].tolist()
    curves = {name: curve[finite] for name, curve in curves.items()}

    memorised = _first(curves["train_accuracy"] >= MEMORISED)
    generalised = _first(results.has_generalised[run, finite])

    excluded = curves["excluded_loss"]
    # Up to this evaluation the network is worse on test pairs than untrained.
    drop = (
        len(steps)
        - 1
        - int(np.argmax((curves["test_loss"] >= curves["test_loss"][0])[::-1]))
    )
    turn = int(np.argmin(excluded[: drop + 1]))
    forms = excluded[drop] > (1 + RISE) * excluded[turn]

    def phase(start: int, end: int | None, found: bool = True) -> Phase | None:
        if not found or memorised is None or drop == 0 or end is None or end <= start:
            return None
        return Phase(steps[start], steps[end])

    return Course(
        has_past=True,
        memorised=None if memorised is None else steps[memorised],
        generalised=None if generalised is None else steps[generalised],
        memorisation=phase(0, turn),
        circuit_formation=phase(turn, drop, bool(forms)),
        cleanup=phase(drop, generalised),
    )


def _first(condition: np.ndarray) -> int | None:
    """Return the index of the first True; None if there is none."""
    return int(np.argmax(condition)) if condition.any() else None
