"""Import networks that the paper's authors trained into a workdir like any other.

repjax published RUN_DIR… --workdir=DIR

A RUN_DIR holds cfg.json and model.pt, as the authors published them. Runs of the same
group, architecture and settings become one cell. Needs the extra `torch`.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from repjax import command_line
from repjax.command_line import usable_directory
from repjax.reference.formats import PAPER
from repjax.reference.runs import PublishedRun, read_run, require_torch
from repjax.settings.config import SWEEPABLE, CellConfig, flatten
from repjax.settings.rules import ConfigError
from repjax.storage.results import TRAJECTORY

_FLAGS = flags.FlagValues()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Directory that gets the cells.", flag_values=_FLAGS
)


def main(run_dirs: Sequence[str]) -> None:
    """Write checkpoints of cells from published weights."""
    if not _WORKDIR.value:
        raise ConfigError("--workdir: missing; use a directory, which will be created")
    require_torch()
    runs: dict[CellConfig, PublishedRun] = {}
    failures = []
    for name in run_dirs:
        try:
            run = read_run(Path(name))
        except ConfigError as error:
            failures.append(f"{name}: {error}")
            continue
        same = runs.setdefault(run.cell, run)
        if same is not run:
            failures.append(f"{name}: settings and seed are those of {same.directory}")
    if runs:
        workdir = usable_directory("--workdir", _WORKDIR.value)
        failures = write_runs(list(runs.values()), workdir, failures)
    for failure in failures:
        print("repjax:", *failure.split(), file=sys.stderr)
    if failures:
        raise ConfigError(f"{len(failures)} of {len(run_dirs)} runs were not imported")


def write_runs(
    runs: Sequence[PublishedRun], workdir: Path, failures: Sequence[str] = ()
) -> list[str]:
    """Write the cells and a manifest; return which runs failed, and why.

    Args:
        runs: runs to import.
        workdir: directory for the cells.
        failures: runs that failed before; the result begins with them.
    """
    # These load jax, so only if there is something to import.
    from repjax.engine import backend
    from repjax.engine.manifest import write_manifest

    backend.prepare()
    backend.require_devices()
    done, imported, failures = [], [], list(failures)
    for cell, members in gather(runs):
        try:
            write_cell(cell, members, workdir)
        except ConfigError as error:
            failures += [f"{run.directory}: {error}" for run in members]
        else:
            done.append(cell)
            imported += [str(run.directory) for run in members]
            told = "1 run" if len(members) == 1 else f"{len(members)} runs"
            print(f"repjax: {told} in {workdir / cell.name}")
    if done:
        write_manifest(workdir, done, {"imported": imported, "failures": failures})
    return failures


def gather(
    runs: Iterable[PublishedRun],
) -> list[tuple[CellConfig, list[PublishedRun]]]:
    """Group runs into cells, by seed; names show settings that differ from the paper's.

    Settings without a value for the whole paper (steps, train fraction) name the cells
    only where runs of one group and architecture differ in them.
    """
    by_settings: dict[CellConfig, list[PublishedRun]] = {}
    for run in sorted(runs, key=lambda run: run.cell.seeds):
        by_settings.setdefault(replace(run.cell, seeds=()), []).append(run)
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for cell in by_settings:
        settings = kinds.setdefault(attrgetter("group", "architecture")(cell), [])
        settings.append(flatten(cell.to_json()))
    cells = []
    for cell, members in by_settings.items():
        mine = flatten(cell.to_json())
        others = kinds[cell.group, cell.architecture]

        def varies(key, mine=mine, others=others) -> bool:
            usual = [PAPER[key]] if key in PAPER else [other[key] for other in others]
            return any(mine[key] != value for value in usual)

        seeds = tuple(run.cell.seeds[0] for run in members)
        swept = tuple(key for key in SWEEPABLE if varies(key))
        cells.append((replace(cell, seeds=seeds, swept=swept), members))
    return sorted(cells, key=lambda pair: pair[0].name)


def write_cell(cell: CellConfig, runs: Sequence[PublishedRun], workdir: Path) -> None:
    """Write a finished cell: settings and one checkpoint; `repjax.table3` measures it.

    AdamW's moments and the past are unknown: the metrics of earlier steps are blank,
    and key irreps are in order of similarity. An earlier import of the same runs is
    replaced.
    """
    import jax

    from repjax.engine.parts import build_ensemble
    from repjax.engine.saved import blank_metrics
    from repjax.engine.schedule import evaluation_steps
    from repjax.engine.train import claim_directories
    from repjax.storage.checkpoint import Checkpoints

    directory = workdir / cell.name
    claim_directories([cell], workdir, imported=True)
    (directory / TRAJECTORY).unlink(missing_ok=True)
    ensemble = build_ensemble([cell])
    state = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), ensemble.abstract())
    weights = {
        name: np.stack([run.weights[name] for run in runs]) for name in runs[0].weights
    }
    state = state.replace(
        step=np.full_like(state.step, cell.num_steps),
        params={"params": weights},
        train_pairs=np.stack([run.train_pairs for run in runs]),
    )
    steps = evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations)
    metrics = blank_metrics(len(runs), len(steps), ensemble.num_irreps)
    checkpoints = Checkpoints(directory / "checkpoints", cell.checkpoint.keep)
    try:
        checkpoints.save(cell.num_steps, {"state": state, "metrics": metrics})
    finally:
        checkpoints.close()


if __name__ == "__main__":
    command_line.run(main, _FLAGS, operands="RUN_DIR")
