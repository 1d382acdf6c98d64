"""Nulls of rival explanations: other weights, or other names of the group's elements.

A number says little alone. Beside it stand the same networks at initialisation, when
they had memorised and did not yet generalise, and read with shuffled elements.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from repjax.analysis.basis import Basis
from repjax.dissection import FinishedCell
from repjax.engine.parts import build_ensemble
from repjax.engine.replay import seconds_to, weights_at
from repjax.explanations.cosets import Cosets
from repjax.metrics import MEMORISED
from repjax.storage.earlier import keep_weights, kept_weights
from repjax.typing import Params

LONGEST_REPLAY = 60.0
"""Estimated seconds that training a cell again up to memorisation may take."""


def initial_params(cell: FinishedCell) -> Params:
    """Return the weights from which the runs of a cell began.

    Of imported networks those that our initialisation gives for their seeds.
    """
    ensemble: Any = build_ensemble([cell.results.cell])
    return {"params": ensemble.weights(ensemble.init())}


@dataclass(frozen=True, eq=False)
class Memorisation:
    """When the runs of a cell had memorised and had not yet generalised.

    Attributes:
        index: evaluation of the first such step of each run; 0 where `found` is False.
        found: whether the run has such a step. Imported networks have none.
        seconds: estimate of training again up to the last of these steps, NaN if that
            is not needed.
    """

    index: np.ndarray
    found: np.ndarray
    seconds: float


def memorisation(cell: FinishedCell) -> Memorisation:
    """Find the first evaluation of each run with a train accuracy of `MEMORISED`."""
    results = cell.results
    memorised = results.metrics["train_accuracy"] >= MEMORISED
    first = memorised.argmax(axis=1)
    generalised = results.has_generalised[np.arange(results.num_runs), first]
    found = memorised.any(axis=1) & ~generalised & (first < len(results.steps) - 1)
    index = np.where(found, first, 0)
    steps = {*results.steps[index[found]].tolist()}
    is_kept = steps <= {*cell.snapshots()}
    seconds = float("nan") if is_kept else seconds_to(results.cell, max(steps))
    return Memorisation(index, found, seconds)


def memorised_params(cell: FinishedCell, past: Memorisation) -> Params | None:
    """Return each run's weights at its own step of memorisation.

    They are read from snapshots where these were kept. Otherwise the cell is trained
    again from the start, which a line on stderr announces, and the weights are kept for
    the next call. Runs without such a step have any weights.

    Returns:
        The weights; None if training would take longer than `LONGEST_REPLAY`, or if no
        run has such a step.
    """
    if not past.found.any():
        return None
    steps = cell.results.steps[past.index]
    steps = np.where(past.found, steps, steps[past.found].min()).tolist()
    if np.isfinite(past.seconds):
        settings = cell.results.cell
        weights = kept_weights(cell.directory, settings, steps)
        if weights is None and past.seconds > LONGEST_REPLAY:
            return None
        if weights is None:
            print(
                f"repjax: {settings.name}: training again to step "
                f"{max(steps):,}, about {past.seconds:.0f} s: the weights at which its "
                "runs memorised are one of the nulls",
                file=sys.stderr,
            )
            weights = weights_at(settings, steps)
            keep_weights(cell.directory, settings, steps, weights)
        return {"params": weights}
    every = {step: cell.snapshot(step) for step in {*steps}}
    networks = [
        jax.tree.map(lambda x, run=run: x[run], every[step])
        for run, step in enumerate(steps)
    ]
    return jax.tree.map(lambda *x: np.stack(x), *networks)


def shuffle_basis(basis: Basis, place: np.ndarray) -> Basis:
    """Return the basis of the same group, element g renamed to `place[g]`."""
    back = np.argsort(place)
    new = jnp.asarray(place, jnp.int32)
    grid = np.ix_(back, back)
    return basis.replace(
        fourier=basis.fourier[back],
        characters=basis.characters[:, back],
        labels=new[basis.labels[grid]],
        product=new[basis.product[grid]],
        class_of=basis.class_of[back],
    )


def shuffle_cosets(cosets: Cosets, place: np.ndarray) -> Cosets:
    """Return the cosets of the same group, element g renamed to `place[g]`."""
    return cosets.replace(elements=cosets.elements[:, np.argsort(place)])
