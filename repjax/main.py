"""Train, checkpoint, analyse and tabulate one sweep.

python -m repjax.main --config=experiments/s6.py --workdir=DIR [--config.key=value]
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from repjax import command_line
from repjax.command_line import STOPPED, usable_directory
from repjax.engine.forecast import describe, describe_shards
from repjax.groups.identify import same_groups
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import expand, parse_shard, take_shard
from repjax.storage.results import CellResults, Trajectories
from repjax.storage.rounds import group

MOST_PRINTED = 300
"""Largest number of cells in the table on the console; its lines take 2 ms each."""

_FLAGS = flags.FlagValues()
_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Experiment file; --config.KEY=VALUE changes one of its settings.",
    flag_values=_FLAGS,
)
_FLAGS["config"].parser = command_line.ConfigFileParser()
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Directory of everything written; call again to resume.",
    flag_values=_FLAGS,
)
_SHARD = flags.DEFINE_string(
    "shard",
    None,
    "i/n: train the i-th of n equal parts of the runs, i from 0.",
    flag_values=_FLAGS,
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Print the plan and stop: cells, runs, work, memory, time.",
    flag_values=_FLAGS,
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "Join the processes of one multi-host slice.",
    flag_values=_FLAGS,
)


def main() -> None:
    """Train the cells of the sweep that the flags describe."""
    if _CONFIG.value is None:
        raise ConfigError(
            "--config: missing; use an experiment such as experiments/s6.py"
        )
    if _DISTRIBUTED.value and _SHARD.value is not None:
        raise ConfigError("--distributed: not allowed with --shard; use one of them")
    config = from_config_dict(_CONFIG.value)
    typed_in = config_flags.get_override_values(_FLAGS["config"])
    cells = sweep = expand(config, typed_in)
    if _SHARD.value is not None:
        index, count = parse_shard(_SHARD.value)
        cells = take_shard(sweep, index, count)
    for names in same_groups(cell.group for cell in sweep):
        print(f"repjax: {' and '.join(names)} are the same group, numbered differently")
    if _DRY_RUN.value:
        print(describe(group(cells), _SHARD.value))
        if _SHARD.value is not None:
            print(describe_shards(sweep, count))
        return
    workdir = usable_directory("--workdir", _WORKDIR.value)
    request = {
        "config_file": config_flags.get_config_filename(_FLAGS["config"]),
        "config": config.to_json(),
        "overrides": typed_in,
        "shard": _SHARD.value,
    }
    if cells:
        train(cells, workdir, request)
        return
    from repjax.engine.manifest import write_manifest

    write_manifest(workdir, cells, request)  # so that merging knows it as a shard
    print(f"repjax: no run is left for shard {_SHARD.value}")


def train(
    cells: Sequence[CellConfig], workdir: Path, request: Mapping[str, Any]
) -> None:
    """Train all cells, and write the tables again after each round."""
    # These load jax, so only after the input has been checked.
    from repjax.engine import backend
    from repjax.engine.manifest import write_manifest
    from repjax.engine.placement import frame_of, plan_for
    from repjax.engine.progress import Progress, build_progress
    from repjax.engine.train import Stopped, claim_directories, train_sweep
    from repjax.report.seeds import write_seeds
    from repjax.report.table3 import write_table3
    from repjax.storage import hosts

    trajectories = Trajectories()

    def begin() -> None:
        trajectories.load_workdir(workdir)  # report a damaged file of another cell now
        write_manifest(workdir, cells, request)
        print(describe(rounds, _SHARD.value, plans, backend.device_kind()))

    def write_tables() -> None:
        results = trajectories.load_workdir(workdir)
        write_seeds(results, workdir)
        write_table3(results, workdir)

    backend.prepare()
    if _DISTRIBUTED.value:
        join_processes()
    backend.require_devices()
    rounds = group(cells)
    # Cells that do not fit are reported now.
    plans = [plan_for(frame_of([members]).cell) for members in rounds]
    try:
        # Every conflict is reported before training.
        claim_directories(cells, workdir, trajectories)
        hosts.by_first(begin)
        with build_progress() if hosts.is_first() else Progress() as progress:
            for _ in train_sweep(cells, workdir, progress, trajectories):
                hosts.by_first(write_tables)
    except (Stopped, hosts.FirstFailed) as stopped:
        print(f"repjax: {stopped}; call again to go on", file=sys.stderr)
        sys.exit(STOPPED)
    if hosts.is_first():
        _show(trajectories.load_workdir(workdir))


def _show(results: Sequence[CellResults]) -> None:
    """Print Table 3, unless it is longer than anyone reads on a console."""
    from repjax.report.table3 import print_table3

    if len(results) <= MOST_PRINTED:
        print_table3(results)
    else:
        print(f"repjax: {len(results):,} cells are finished; see table3.md")


def join_processes() -> None:
    """Join the devices of all hosts of a slice into one mesh."""
    from repjax.storage import hosts

    try:
        hosts.join()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--distributed: no multi-host slice found: {error}"
        ) from None


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
