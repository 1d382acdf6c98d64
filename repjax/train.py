"""The host's part of training: restore, chunks of steps, evaluations, checkpoints."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repjax import hosts
from repjax.checkpoint import Checkpoints
from repjax.config import CellConfig, flatten
from repjax.ensemble import Ensemble
from repjax.files import read_json, write_json
from repjax.groups import build_group, real_irreps
from repjax.lease import Held
from repjax.lock import locked
from repjax.metrics import COUNTS, PER_IRREP, SCALARS
from repjax.parts import Parts, build_ensemble
from repjax.programs import Programs
from repjax.progress import Progress
from repjax.results import TRAJECTORY, CellResults
from repjax.rules import ConfigError


class Stopped(Exception):
    """The end for now, with what is trained saved: calling again goes on.

    A signal asked for it, or another process holds the cell's lease.
    """


def train_sweep(
    cells: Sequence[CellConfig], workdir: Path, progress: Progress
) -> Iterator[CellResults]:
    """Trains cell after cell, each in its own folder, and yields what each gave.

    Finished cells are read back.

    Raises:
        Stopped: SIGTERM or SIGINT came; everything trained so far is saved.
        ConfigError: a folder holds a cell with other settings.
    """
    programs = Programs(cells)
    with _signals_noted() as signals:
        for cell in cells:
            yield train_cell(cell, workdir, progress, signals, programs)
            if hosts.any_of(bool(signals)):
                raise Stopped(f"stopped after {cell.name}")


def train_cell(
    cell: CellConfig,
    workdir: Path,
    progress: Progress,
    signals: Sequence[int] = (),
    programs: Programs | None = None,
) -> CellResults:
    """Train the runs of one cell to the end, from its newest checkpoint if it has one.

    Args:
        cell: what to train.
        workdir: the cell gets the folder `workdir / cell.name`.
        progress: is told how far the cell is.
        signals: signals received so far, looked at after every chunk.
        programs: those of the sweep, which cells share; by default its own.
    """
    directory = workdir / cell.name
    claim_directory(cell, directory)
    results = _finished(directory) or _train(
        cell, directory, progress, signals, programs or Programs([cell])
    )
    progress.finish(results)
    return results


def _finished(directory: Path) -> CellResults | None:
    """What the cell gave if it was trained to the end before."""
    if hosts.agree(CellResults.exists(directory)):
        return CellResults.load(directory)
    return None


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[Callable[[], None]]:
    """`locked`, by the first host for all of them."""
    with contextlib.ExitStack() as stack:
        check = hosts.by_first(lambda: stack.enter_context(locked(directory)))
        yield check or (lambda: None)


def reevaluate(directory: Path, only_tables: bool = True) -> CellResults | None:
    """Results of a finished cell, its last evaluation made anew from its checkpoint.

    Args:
        directory: of the cell.
        only_tables: make anew only what tables show (`repjax.metrics.IN_TABLES`).

    Returns:
        The results; None if the cell in `directory` has not been trained to the end.
    """
    cell = CellConfig.from_json(read_json(directory / "config.json"))
    if not (directory / "checkpoints").is_dir():
        return None
    # Read-only: another process may be training the cell at this moment.
    checkpoints = Checkpoints(directory / "checkpoints", read_only=True)
    try:
        if checkpoints.latest_step() != cell.num_steps:
            return None
        ensemble = build_ensemble(cell)
        steps = evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations)
        state, metrics, _ = _restore(ensemble, checkpoints, len(steps))
    finally:
        checkpoints.close()
    for name, values in ensemble.evaluate(state, only_tables).items():
        metrics[name][:, -1] = values
    return _results(cell, steps, metrics)


def evaluation_steps(num_steps: int, num_evaluations: int) -> np.ndarray:
    """Log-spaced steps at which everything is measured: 0, 1, …, `num_steps`."""
    spaced = np.geomspace(1, num_steps, max(num_evaluations - 1, 1))
    return np.unique(np.concatenate([[0], np.round(spaced).astype(int), [num_steps]]))


def claim_directory(cell: CellConfig, directory: Path) -> None:
    """Writes the cell's settings into its folder, or checks those that are there.

    Raises:
        ConfigError: the folder was begun with other settings.
    """
    path = directory / "config.json"

    def write() -> None:
        if not path.exists():
            write_json(path, cell.to_json())

    hosts.by_first(write)
    stored, wanted = read_json(path), flatten(cell.to_json())
    if not isinstance(stored, Mapping):
        raise ConfigError(f"{path}: holds no settings; put back a copy, or remove it")
    stored = flatten(stored)
    differing = [
        f"{key}: {wanted.get(key)} differs from {stored.get(key)}"
        for key in sorted(stored.keys() | wanted.keys())
        if stored.get(key) != wanted.get(key) and key not in _MAY_CHANGE
    ]
    if differing:
        raise ConfigError(
            f"{', '.join(differing)}, with which {directory} was begun; "
            "use another --workdir"
        )
    hosts.by_first(lambda: _set_damaged_results_aside(directory))


def _set_damaged_results_aside(directory: Path) -> None:
    """Results that cannot be read are made anew from the last checkpoint."""
    if CellResults.exists(directory):
        try:
            CellResults.load(directory)
        except ValueError as error:
            aside = directory / f"damaged-{TRAJECTORY}"
            (directory / TRAJECTORY).replace(aside)
            print(f"repjax: {error}; moved to {aside}", file=sys.stderr)


_MAY_CHANGE = (
    "checkpoint.every_seconds",
    "checkpoint.keep",
    "max_chunk_seconds",
    "runs_per_device",
)
"""Settings that change no number of a run, but for rounding on another layout."""


def _train(
    cell: CellConfig,
    directory: Path,
    progress: Progress,
    signals: Sequence[int],
    programs: Programs,
) -> CellResults:
    """Trains the cell to the end, alone in its folder, and saves what it gave."""
    try:
        with _locked(directory) as check_lock:
            # Once more: another process may have been here before the lock was ours.
            claim_directory(cell, directory)
            if results := _finished(directory):
                return results
            ensemble = programs.ensemble(cell)
            checkpoints = Checkpoints(
                directory / "checkpoints",
                cell.checkpoint.keep,
                check_lock=check_lock,
            )
            try:
                results = _loop(ensemble, checkpoints, progress, signals)
            finally:
                checkpoints.close()
            hosts.by_first(lambda: (check_lock(), results.save(directory)))
            return results
    except (Held, hosts.FirstFailed) as reason:
        raise Stopped(f"{directory}: {reason}") from None


def _loop(
    ensemble: Ensemble | Parts,
    checkpoints: Checkpoints,
    progress: Progress,
    signals: Sequence[int],
) -> CellResults:
    """Its order is fixed: chunk → evaluate if due → save if due → stop.

    An evaluation that is due when a signal came is left to the next call, since it may
    take minutes; not the last, with which the cell is done. Chunks may be cut anywhere:
    the loop inside is the same program for every length, so the bits are those of an
    uncut run.
    """
    cell = ensemble.cell
    steps = evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations)
    state, metrics, step = _restore(ensemble, checkpoints, len(steps))
    due = int(np.searchsorted(steps, step))
    if due < len(steps) and np.isfinite(metrics["trained_steps"][:, due]).all():
        due += 1  # it was measured before it was saved
    progress.start(cell.name, ensemble.num_runs, cell.num_steps, step)
    if due:
        progress.measure({name: x[:, due - 1] for name, x in metrics.items()})
    saved_at, pace = time.monotonic(), _Pace(cell.max_chunk_seconds)

    while due < len(steps):
        chunk = hosts.agree(min(int(steps[due]) - step, pace.steps))
        if chunk:
            begin = time.monotonic()
            state, loss = ensemble.train(state, chunk)
            train_loss = ensemble.fetch(loss)
            pace.learn(chunk, time.monotonic() - begin, ensemble.overhead)
            step += chunk
            progress.update(step, train_loss)
        stop = hosts.any_of(bool(signals))
        if step == steps[due] and (not stop or step == cell.num_steps):
            measured = ensemble.evaluate(state)
            for name, values in measured.items():
                metrics[name][:, due] = values
            due += 1
            progress.measure(measured)
        stop = stop or hosts.any_of(bool(signals))
        overdue = time.monotonic() - saved_at > cell.checkpoint.every_seconds
        if hosts.agree(overdue) or stop or due == len(steps):
            trees = {"state": ensemble.to_save(state), "metrics": metrics}
            checkpoints.save(step, trees)
            saved_at = time.monotonic()
        if stop and due < len(steps):
            raise Stopped(f"stopped at step {step} of {cell.name}")

    return _results(cell, steps, metrics)


def _results(
    cell: CellConfig, steps: np.ndarray, metrics: dict[str, np.ndarray]
) -> CellResults:
    irreps = real_irreps(build_group(cell.group))
    return CellResults(
        cell=cell,
        irreps=tuple(irrep.name for irrep in irreps),
        irrep_dims=tuple(irrep.dim for irrep in irreps),
        steps=steps,
        metrics=metrics,
    )


def _restore(
    ensemble: Ensemble | Parts, checkpoints: Checkpoints, num_evaluations: int
) -> tuple[Any, dict[str, np.ndarray], int]:
    """State, metrics so far and step of the newest checkpoint, or of a new start."""
    metrics = blank_metrics(
        ensemble.num_runs, num_evaluations, ensemble.basis.characters.shape[0]
    )
    step = checkpoints.latest_step()
    if step is None:
        return ensemble.init(), metrics, 0
    trees = {"state": ensemble.abstract(), "metrics": None}
    saved = checkpoints.restore(step, trees)
    # A metric that was not yet measured when the cell began stays blank.
    metrics |= {
        name: saved["metrics"][name]
        for name in metrics.keys() & saved["metrics"].keys()
    }
    return ensemble.place(saved["state"]), metrics, step


def blank_metrics(
    num_runs: int, num_evaluations: int, num_irreps: int
) -> dict[str, np.ndarray]:
    """Arrays run × evaluation (× irrep) for every metric, NaN until measured."""
    shape = (num_runs, num_evaluations)
    return {
        name: np.full(shape, np.nan, np.float32) for name in (*SCALARS, *COUNTS)
    } | {name: np.full((*shape, num_irreps), np.nan, np.float32) for name in PER_IRREP}


_LONGEST = 30.0
"""Seconds of training in a chunk of a cell in parts, at most."""


class _Pace:
    """Length of the next chunk, so that each takes about `seconds`.

    Longer if much of a chunk is spent on moving states (see `Parts`): then training
    takes ten times as long as that, but no more than `_LONGEST` seconds, since signals
    are looked at between chunks.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._compiled = False
        self.steps = 1

    def learn(self, steps: int, seconds: float, overhead: float) -> None:
        """From a chunk that took so long; the first one's time is compilation."""
        if self._compiled:
            rate = steps / max(seconds - overhead, 1e-6)
            wanted = rate * max(self._seconds, min(10 * overhead, _LONGEST))
            # At most tenfold: a short chunk's rate says little.
            self.steps = max(1, int(min(wanted, 10 * self.steps)))
        self._compiled = True


@contextlib.contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """The list of SIGTERM and SIGINT received inside; a second SIGINT interrupts."""
    received: list[int] = []

    def note(number, _frame):
        if number == signal.SIGINT and received:
            raise KeyboardInterrupt
        received.append(number)

    before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
