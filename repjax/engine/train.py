"""The training loop on the host: restore, train in chunks, evaluate, save."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from repjax.engine.ensemble import Ensemble
from repjax.engine.interrupts import answered
from repjax.engine.parts import Parts
from repjax.engine.programs import Programs
from repjax.engine.progress import Progress
from repjax.engine.saved import restore, results_of, steps_of
from repjax.settings.config import CellConfig, flatten
from repjax.settings.rules import ConfigError
from repjax.storage import hosts
from repjax.storage.checkpoint import Checkpoints
from repjax.storage.files import as_path, read_json, write_json, write_many
from repjax.storage.group_tables import recall_group, store_group
from repjax.storage.lease import Held
from repjax.storage.lock import locked
from repjax.storage.results import TRAJECTORY, CellResults, Trajectories
from repjax.storage.rounds import MAY_CHANGE, Round, form_rounds
from repjax.storage.snapshots import save_snapshot

_SETTINGS = "config.json"


class Stopped(Exception):
    """Training has stopped early, with its state saved; calling again resumes it.

    The cause is a signal, or another process that holds the lease of a round.
    """


def train_sweep(
    cells: Sequence[CellConfig],
    workdir: Path,
    progress: Progress,
    trajectories: Trajectories | None = None,
) -> Iterator[list[CellResults]]:
    """Train round after round, and yield the results of the cells of each.

    Finished cells come first, read from their files. A round resumes from its newest
    checkpoint if it has one.

    Args:
        cells: the cells to train.
        workdir: each cell gets the folder `workdir / cell.name`.
        progress: receives reports of each round.
        trajectories: files read so far, by default none; finished cells are added.

    Raises:
        Stopped: SIGTERM or SIGINT arrived; everything trained so far is saved.
        ConfigError: a folder holds a cell with other settings.
    """
    trajectories = trajectories or Trajectories()
    claim_directories(cells, workdir, trajectories)
    is_done = hosts.share([CellResults.exists(workdir / cell.name) for cell in cells])
    finished, missing = (
        [cell for cell, done in zip(cells, is_done, strict=True) if done is wanted]
        for wanted in (True, False)
    )
    if finished:
        yield _told([trajectories.load(workdir / c.name) for c in finished], progress)
    rounds = _rounds(missing, workdir)
    past = _rounds(finished, workdir) if rounds else []
    programs = Programs([each.cells for each in rounds], [each.cells for each in past])
    with _signals_noted() as signals:
        for current in rounds:
            results = _train(
                current, workdir, progress, signals, programs, trajectories
            )
            yield _told(results, progress)
            if hosts.any_of(bool(signals)):
                raise Stopped(f"stopped after {current.name}")


def _rounds(cells: Sequence[CellConfig], workdir: Path) -> list[Round]:
    """Form the rounds on the first host, since the disks of others may lag behind."""
    found = hosts.by_first(lambda: form_rounds(cells, workdir)) or []
    if hosts.are_one():
        return found
    told = hosts.share([(r.to_json(), str(r.directory)) for r in found])
    return [
        Round(tuple(map(CellConfig.from_json, cells)), as_path(directory))
        for cells, directory in told
    ]


def _told(cells: list[CellResults], progress: Progress) -> list[CellResults]:
    progress.finish(cells)
    return cells


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[Callable[[], None]]:
    """Lock a directory on the first host, for all hosts."""
    with contextlib.ExitStack() as stack:
        check = hosts.by_first(lambda: stack.enter_context(locked(directory)))
        yield check or (lambda: None)


def claim_directories(
    cells: Sequence[CellConfig],
    workdir: Path,
    trajectories: Trajectories | None = None,
    *,
    imported: bool = False,
) -> None:
    """Write the settings of cells into their folders, or check the existing ones.

    Trajectories of finished cells are read into `trajectories`; damaged ones are set
    aside. If the cells are `imported`, no message proposes to train some of their runs.

    Raises:
        ConfigError: a folder was begun with other settings, or with another group in
            a file of the same name.
    """
    read = trajectories or Trajectories()
    folders = [workdir / cell.name for cell in cells]

    def write(cell: CellConfig, folder: Path) -> None:
        if not (folder / _SETTINGS).exists():
            store_group(cell, folder)
            write_json(folder / _SETTINGS, cell.to_json())

    def set_aside() -> None:
        for folder in folders:
            _set_damaged_results_aside(folder, read)

    hosts.by_first(lambda: write_many(write, cells, folders))
    check_directories(cells, workdir, imported)
    hosts.by_first(set_aside)


def check_directories(
    cells: Sequence[CellConfig], workdir: Path, imported: bool = False
) -> None:
    """Check the settings in the folders that cells have already; nothing is written.

    Args:
        cells: the cells to train.
        workdir: each cell has, or will have, the folder `workdir / cell.name`.
        imported: whether the cells were trained elsewhere.

    Raises:
        ConfigError: a folder was begun with other settings, or with another group in
            a file of the same name.
    """
    for cell in cells:
        folder = workdir / cell.name
        if (folder / _SETTINGS).exists():
            _check_settings(cell, folder, imported)
            recall_group(cell, folder)


def _check_settings(cell: CellConfig, directory: Path, imported: bool) -> None:
    """Raise `ConfigError` if the folder of a cell holds other settings."""
    path = directory / _SETTINGS
    stored, wanted = read_json(path), cell.flat
    if not isinstance(stored, Mapping):
        raise ConfigError(f"{path}: holds no settings; put back a copy, or remove it")
    stored = flatten(stored)
    differing = [
        f"{key}: {wanted.get(key)} differs from {stored.get(key)}"
        for key in sorted(stored.keys() | wanted.keys())
        if stored.get(key) != wanted.get(key) and key not in MAY_CHANGE
    ]
    if differing:
        raise ConfigError(
            f"{', '.join(differing)}, with which {directory} was begun; "
            f"{'use another --workdir' if imported else _way_out(stored, wanted)}"
        )


def _way_out(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say how to train a cell that differs from a stored one; more seeds alone."""
    begun, seeds = stored.get("seeds"), wanted["seeds"]
    differing = [
        k for k in wanted if stored.get(k) != wanted[k] and k not in MAY_CHANGE
    ]
    more = seeds[len(begun) :] if begun and begun == seeds[: len(begun)] else []
    if differing == ["seeds"] and more and more[-1] - more[0] == len(more) - 1:
        return (
            f"train the others with --config.first_seed={more[0]} "
            f"--config.num_seeds={len(more)} in another --workdir: table3, report and "
            "dataset take several"
        )
    return "use another --workdir"


def _set_damaged_results_aside(directory: Path, trajectories: Trajectories) -> None:
    """Move unreadable results aside, to be redone from the last checkpoint."""
    if CellResults.exists(directory):
        try:
            trajectories.load(directory)
        except ValueError as error:
            aside = directory / f"damaged-{TRAJECTORY}"
            (directory / TRAJECTORY).replace(aside)
            print(f"repjax: {error}; moved to {aside}", file=sys.stderr)


def _train(
    current: Round,
    workdir: Path,
    progress: Progress,
    signals: Sequence[int],
    programs: Programs,
    trajectories: Trajectories,
) -> list[CellResults]:
    """Train a round to the end under its lock, and save the results of its cells."""
    directory = current.directory
    hosts.by_first(lambda: directory.mkdir(parents=True, exist_ok=True))
    try:
        with _locked(directory) as check_lock:
            # Again: another process may have been here before we held the lock.
            claim_directories(current.cells, workdir, trajectories)
            folders = [workdir / cell.name for cell in current.cells]
            if hosts.share(all(map(CellResults.exists, folders))):
                return [trajectories.load(folder) for folder in folders]
            hosts.by_first(current.write_record)
            checkpoints = Checkpoints(
                current.checkpoints,
                current.cells[0].checkpoint.keep,
                check_lock=check_lock,
            )
            try:
                ensemble = programs.ensemble(current.cells)
                if checkpoints.latest_step() != current.num_steps:
                    ensemble.start_compiling()
                every = _loop(current, ensemble, checkpoints, progress, signals)
            finally:
                checkpoints.close()

            def save() -> None:
                check_lock()
                write_many(trajectories.save, every, folders)

            hosts.by_first(save)
            return every
    except (Held, hosts.FirstFailed) as reason:
        raise Stopped(f"{directory}: {reason}") from None


def _loop(
    current: Round,
    ensemble: Ensemble | Parts,
    checkpoints: Checkpoints,
    progress: Progress,
    signals: Sequence[int],
) -> list[CellResults]:
    """Repeat, in this order: chunk → evaluate if due → save if due → stop.

    After a signal, an evaluation that is due is left to the next call, since it may
    take minutes. The last one is not, because it completes the round. Chunks may be cut
    anywhere: the loop inside is the same program for every length, so the bits are
    those of an uncut run.
    """
    cell, steps = current.cells[0], steps_of(current)
    state, metrics, step = restore(ensemble, checkpoints, len(steps))
    due = int(np.searchsorted(steps, step))
    if due < len(steps) and np.isfinite(metrics["trained_steps"][:, due]).all():
        due += 1  # this step was measured before it was saved
    progress.prepare(current.cells)
    progress.start(current.name, ensemble.num_runs, current.num_steps, step)
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
        if step == steps[due] and (not stop or step == current.num_steps):
            measured = ensemble.evaluate(state)
            for name, values in measured.items():
                metrics[name][:, due] = values
            due += 1
            progress.measure(measured)
            if cell.checkpoint.snapshots:
                weights = ensemble.weights(state)
                hosts.by_first(partial(save_snapshot, current, step, weights))
        stop = stop or hosts.any_of(bool(signals))
        overdue = time.monotonic() - saved_at > cell.checkpoint.every_seconds
        if hosts.agree(overdue) or stop or due == len(steps):
            trees = {"state": ensemble.to_save(state), "metrics": metrics}
            checkpoints.save(step, trees)
            saved_at = time.monotonic()
        if stop and due < len(steps):
            raise Stopped(f"stopped at step {step} of {current.name}")

    return results_of(current, steps, metrics)


_LONGEST = 30.0
"""Longest training in a chunk of a cell in parts, in seconds."""


class _Pace:
    """Length of the next chunk, chosen so that each takes about `seconds`.

    Chunks are longer if moving states takes much of them (see `Parts`): training then
    takes ten times as long as the moves, but at most `_LONGEST` seconds, since signals
    are checked between chunks.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._compiled = False
        self.steps = 1

    def learn(self, steps: int, seconds: float, overhead: float) -> None:
        """Update the length from a chunk's time; that of the first is compilation."""
        if self._compiled:
            rate = steps / max(seconds - overhead, 1e-6)
            wanted = rate * max(self._seconds, min(10 * overhead, _LONGEST))
            # At most tenfold: the rate of a short chunk is inaccurate.
            self.steps = max(1, int(min(wanted, 10 * self.steps)))
        self._compiled = True


@contextlib.contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list; a second SIGINT interrupts.

    Of those that arrive within one chunk Python tells of one. A line on stderr answers
    the first SIGINT at once. In another thread than the main one Python handles no
    signals, and none is noted.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, _frame):
        if number == signal.SIGINT and signal.SIGINT in received:
            raise KeyboardInterrupt
        received.append(number)

    before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        with answered():
            yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
