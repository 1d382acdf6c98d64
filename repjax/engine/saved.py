"""Read state, metrics and networks of a round from its checkpoints."""

from typing import Any

import jax
import numpy as np

from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import Parts, build_ensemble
from repjax.engine.placement import num_pairs_of
from repjax.engine.programs import Programs
from repjax.engine.schedule import evaluation_steps
from repjax.groups import build_group, real_irreps
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.settings.config import CellConfig
from repjax.storage.checkpoint import Checkpoints
from repjax.storage.results import CellResults
from repjax.storage.rounds import Round
from repjax.storage.snapshots import load_snapshot, snapshot_steps
from repjax.training.state import RunState


def restore(
    ensemble: Ensemble | Parts, checkpoints: Checkpoints, num_evaluations: int
) -> tuple[Any, dict[str, np.ndarray], int]:
    """Return state, metrics and step of the newest checkpoint, or of a new start."""
    metrics = blank_metrics(ensemble.num_runs, num_evaluations, ensemble.num_irreps)
    step = checkpoints.latest_step()
    if step is None:
        return ensemble.init(), metrics, 0
    trees = {"state": ensemble.abstract(), "metrics": None}
    saved = checkpoints.restore(step, trees)
    # A metric that did not exist when the round began stays blank.
    metrics |= {
        name: saved["metrics"][name]
        for name in metrics.keys() & saved["metrics"].keys()
    }
    return ensemble.place(saved["state"]), metrics, step


def blank_metrics(
    num_runs: int, num_evaluations: int, num_irreps: int
) -> dict[str, np.ndarray]:
    """Return arrays run × evaluation (× irrep) for every metric, filled with NaN."""
    shape = (num_runs, num_evaluations)
    return {
        name: np.full(shape, np.nan, np.float32)
        for name in (*SCALARS, *EXPLAINED, *COUNTS)
    } | {name: np.full((*shape, num_irreps), np.nan, np.float32) for name in PER_IRREP}


def results_of(
    past: Round, steps: np.ndarray, metrics: dict[str, np.ndarray]
) -> list[CellResults]:
    """Divide the metrics of a round by cell, without irreps that pad its group."""
    found = []
    for cell in past.cells:
        irreps, rows = real_irreps(build_group(cell.group)), past.rows(cell)
        mine = {
            name: x[rows, :, : len(irreps)] if x.ndim > 2 else x[rows]
            for name, x in metrics.items()
        }
        found.append(
            CellResults(
                cell=cell,
                irreps=tuple(irrep.name for irrep in irreps),
                irrep_dims=tuple(irrep.dim for irrep in irreps),
                steps=steps,
                metrics=mine,
            )
        )
    return found


def reevaluate(
    past: Round, programs: Programs | None = None, only_tables: bool = True
) -> list[CellResults] | None:
    """Return a round's results, the last evaluation redone from its checkpoint.

    Args:
        past: the round.
        programs: programs shared by rounds; by default the round's own.
        only_tables: redo only the metrics in tables (`repjax.metrics.IN_TABLES`).

    Returns:
        The results; None if the round has not been trained to the end.
    """
    if not past.checkpoints.is_dir():
        return None
    # Read-only: another process may be training it at this moment.
    checkpoints = Checkpoints(past.checkpoints, read_only=True)
    try:
        if checkpoints.latest_step() != past.num_steps:
            return None
        ensemble = (programs or Programs([past.cells])).ensemble(past.cells)
        steps = steps_of(past)
        state, metrics, _ = restore(ensemble, checkpoints, len(steps))
    finally:
        checkpoints.close()
    for name, values in ensemble.evaluate(state, only_tables).items():
        metrics[name][:, -1] = values
    return results_of(past, steps, metrics)


def latest_step(past: Round) -> int | None:
    """Return the step of the newest whole checkpoint of a round, None without one."""
    if not past.checkpoints.is_dir():
        return None
    # Read-only: another process may be training it at this moment.
    checkpoints = Checkpoints(past.checkpoints, read_only=True)
    try:
        return checkpoints.latest_step()
    finally:
        checkpoints.close()


def read_networks(past: Round, step: int | None = None) -> tuple[int, RunState]:
    """Return a step and the networks of a round at that step, on the host.

    Args:
        past: the round.
        step: step of a checkpoint or a snapshot; by default the newest checkpoint.
            AdamW's moments are those of the newest checkpoint.

    Raises:
        LookupError: there is neither; the message lists the available steps.
    """
    newest = latest_step(past)
    known = sorted({*snapshot_steps(past), *([] if newest is None else [newest])})
    if newest is None or step not in (None, *known):
        raise LookupError(
            f"use one of {', '.join(map(str, known)) or '(none)'}, or train with "
            "--config.checkpoint.snapshots=True"
        )
    state = read_state(past, newest)
    if step is None or step == newest:
        return newest, state
    return step, state.replace(params={"params": load_snapshot(past, step)})


def read_state(past: Round, step: int) -> RunState:
    """Read all runs of a round from the checkpoint of a step, to the host."""
    checkpoints = Checkpoints(past.checkpoints, read_only=True)
    try:
        blank = {"state": build_ensemble(past.cells).abstract()}
        return checkpoints.restore(step, blank)["state"]
    finally:
        checkpoints.close()


def runs_of_cell(past: Round, cell: CellConfig, state: RunState) -> RunState:
    """Return the runs of one cell of a round, without padding of their pairs."""
    rows = past.rows(cell)
    mine = jax.tree.map(lambda x: x[rows], state)
    return mine.replace(train_pairs=mine.train_pairs[:, : num_pairs_of(cell)])


def steps_of(past: Round) -> np.ndarray:
    """Return the steps at which a round is measured."""
    cell = past.cells[0]
    return evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations)
