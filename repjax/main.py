"""Train, checkpoint, analyse and tabulate one sweep.

repjax train --config=quickstart --workdir=runs/quickstart [--config.KEY=VALUE …]
    [--shard=i/n] [--dry_run] [--distributed]

The config is an experiment that repjax carries, by its name, or a file of your own.
Call again to go on after an interruption: what is trained is not trained twice.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from repjax import command_line
from repjax.command_line import STOPPED, usable_directory
from repjax.engine.curves import require_library
from repjax.engine.forecast import describe, describe_shards
from repjax.experiment import carried_names
from repjax.groups.identify import same_groups
from repjax.settings.config import CellConfig, Config, from_config_dict, rules_of
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import check_overrides, expand, parse_shard, take_shard
from repjax.storage.files import as_path, is_local
from repjax.storage.results import CellResults
from repjax.storage.workdirs import steps_taken

MOST_PRINTED = 300
"""Largest number of cells in the table on the console; its lines take 2 ms each."""

_FLAGS = flags.FlagValues()
_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    f"Experiment, one of {', '.join(carried_names())}, or a Python file. "
    f"--config.KEY=VALUE changes one of its settings: {', '.join(rules_of(Config))}. "
    "experiments/base.py has their defaults and says what they mean.",
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
            "--config: missing; use an experiment such as quickstart or mine.py"
        )
    if _DISTRIBUTED.value and _SHARD.value is not None:
        raise ConfigError("--distributed: not allowed with --shard; use one of them")
    typed_in = config_flags.get_override_values(_FLAGS["config"])
    with command_line.named_as_typed(typed_in):
        config = from_config_dict(_CONFIG.value)
        check_overrides(config, typed_in)
        cells = sweep = expand(config, typed_in)
    if _SHARD.value is not None:
        index, count = parse_shard(_SHARD.value)
        cells = take_shard(sweep, index, count)
    for names in same_groups(cell.group for cell in sweep):
        print(f"repjax: {' and '.join(names)} are the same group, numbered differently")
    if _DRY_RUN.value:
        print(describe(cells, _SHARD.value, _taken(cells)))
        if _SHARD.value is not None:
            print(describe_shards(sweep, count))
        return
    require_library(config.log)
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


def _taken(cells: Sequence[CellConfig]) -> dict[str, int]:
    """Return the steps that cells have taken in a local --workdir, which is only read.

    Raises:
        ConfigError: it was begun with other settings, so that training would fail.
    """
    workdir = as_path(_WORKDIR.value) if _WORKDIR.value else None
    if workdir is None or not is_local(workdir) or not workdir.is_dir():
        return {}
    from repjax.engine.train import check_directories

    check_directories(cells, workdir)
    return steps_taken(cells, workdir)


def train(
    cells: Sequence[CellConfig], workdir: Path, request: Mapping[str, Any]
) -> None:
    """Train all cells and print Table 3; exit with code 75 after a signal."""
    # These load jax, so only after the input has been checked.
    from repjax.engine.train import Stopped
    from repjax.storage import hosts
    from repjax.sweep import train_cells

    try:
        results = train_cells(cells, workdir, request, distributed=_DISTRIBUTED.value)
    except (Stopped, hosts.FirstFailed) as stopped:
        print(f"repjax: {stopped}; call again to go on", file=sys.stderr)
        sys.exit(STOPPED)
    if hosts.is_first():
        _show(results, workdir)


def _show(results: Sequence[CellResults], workdir: Path) -> None:
    """Print Table 3, unless it is longer than anyone reads, and what comes next."""
    from repjax.report.console import print_table3

    if len(results) <= MOST_PRINTED:
        print_table3(results)
    else:
        print(f"repjax: {len(results):,} cells are finished")
    print(
        f"repjax: seeds.csv and table3.* are in {workdir}; next: "
        f"repjax report --workdir={shlex.quote(str(workdir))}"
    )


if __name__ == "__main__":
    try:
        command_line.run(main, _FLAGS)
    except SystemExit as end:
        if end.code == STOPPED and not _DISTRIBUTED.value:
            command_line.leave()  # without what is still being compiled
        raise
