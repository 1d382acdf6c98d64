"""Train the cells of a sweep in a workdir, and keep its tables up to date."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repjax.engine import backend, progress
from repjax.engine.curves import Curves
from repjax.engine.forecast import describe
from repjax.engine.manifest import write_manifest
from repjax.engine.placement import frame_of, plan_for
from repjax.engine.plan import Plan
from repjax.engine.progress import Progress, Together
from repjax.engine.train import claim_directories, train_sweep
from repjax.report.seeds import write_seeds
from repjax.report.table3 import write_table3
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage import hosts
from repjax.storage.results import CellResults, Trajectories
from repjax.storage.rounds import group
from repjax.storage.workdirs import steps_taken


def train_cells(
    cells: Sequence[CellConfig],
    workdir: Path,
    request: Mapping[str, Any],
    *,
    distributed: bool = False,
    quiet: bool = False,
) -> Sequence[CellResults]:
    """Train all cells, or go on where an earlier call stopped.

    The tables of the workdir are written again after each round.

    Args:
        cells: cells of the sweep, or of one shard.
        workdir: existing directory of everything written.
        request: config file, config, overrides and shard as the user gave them, for
            the manifest.
        distributed: whether to join the processes of a multi-host slice.
        quiet: whether to print neither plan nor progress.

    Returns:
        Results of all finished cells in the workdir.

    Raises:
        ConfigError: an existing file or the available devices do not fit the settings.
        Stopped: a signal arrived; everything trained so far is saved.
        hosts.FirstFailed: the first host of a slice has failed.
    """
    trajectories = Trajectories()
    curves = Curves.of(request["config"]["log"], workdir)

    def plan_of(members: Sequence[CellConfig]) -> Plan:
        return plan_for(frame_of([members]).cell)

    def begin() -> None:
        trajectories.load_workdir(workdir)  # report a damaged file of another cell now
        write_manifest(workdir, cells, request)
        if not quiet:
            taken = steps_taken(cells, workdir)
            kind = backend.device_kind()
            print(describe(cells, request["shard"], taken, plan_of, kind))

    def write_tables() -> None:
        results = trajectories.load_workdir(workdir)
        write_seeds(results, workdir)
        write_table3(results, workdir)

    backend.prepare()
    if distributed:
        _join_processes()
    backend.require_devices()
    for members in group(cells):  # cells that do not fit are reported now
        plan_of(members)
    # Every conflict is reported before training.
    claim_directories(cells, workdir, trajectories)
    hosts.by_first(begin)
    with _receiver(quiet, curves) as receiver:
        for _ in train_sweep(cells, workdir, receiver, trajectories):
            hosts.by_first(write_tables)
    return trajectories.load_workdir(workdir)


def _receiver(quiet: bool, curves: Progress | None) -> Progress:
    """Return what shows progress and writes curves; nothing on other hosts."""
    if not hosts.is_first():
        return Progress()
    shown = Progress() if quiet else progress.build_progress()
    return Together([shown, curves]) if curves else shown


def _join_processes() -> None:
    """Join the devices of all hosts of a slice into one mesh."""
    try:
        hosts.join()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--distributed: no multi-host slice found: {error}"
        ) from None
