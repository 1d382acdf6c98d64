"""Functions for notebooks and scripts: `repjax.train`, `load` and `get_config`.

They need no flags. Bad input raises `ConfigError` with the line that commands print.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from repjax.command_line import remove_empty_directories, usable_directory
from repjax.engine.curves import require_library
from repjax.experiment import load_config
from repjax.settings.config import Config, flatten, parse
from repjax.settings.rules import ConfigError, show
from repjax.settings.sweep import check_overrides, expand
from repjax.storage.files import as_path
from repjax.storage.results import CellResults
from repjax.storage.rounds import round_of
from repjax.storage.workdirs import cell_directories
from repjax.trained import Cell, Sweep

Path_ = str | os.PathLike[str]


def get_config(name: str = "base") -> ConfigDict:
    """Return the config of an experiment, to be changed and trained.

    Args:
        name: name of an experiment that repjax carries, or a Python file of your own;
            text after a colon is the argument of its `get_config`. By default every
            setting has its default value.

    Raises:
        ConfigError: there is no such experiment, or its file fails.
    """
    try:
        return load_config(name).lock()  # locked: new keys are mistakes
    except ValueError as error:
        raise ConfigError(f"config: {name}: {error}") from None


def train(
    config: ConfigDict | Mapping[str, Any] | Path_,
    workdir: Path_,
    *,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Sweep:
    """Train every run of a config, or go on where an earlier call stopped.

    `repjax train` does the same: the files in the workdir are those that it writes.

    Args:
        config: name of an experiment, a file, the result of a `get_config`, or a
            mapping of settings that differ from the defaults.
        workdir: directory of everything written, created if need be.
        overrides: settings that take precedence over all others, as
            `--config.key=value` does; keys are dotted or nested.
        progress: whether to print the plan and show progress, in a notebook as a bar.

    Returns:
        All finished cells in the workdir.

    Raises:
        ConfigError: a setting, the workdir or the devices do not allow it.
        Stopped: the kernel was interrupted; everything trained so far is saved.
    """
    typed = flatten(overrides or {})
    name = os.fspath(config) if isinstance(config, str | os.PathLike) else None
    if name is not None:
        settings = get_config(name).to_dict()
    elif isinstance(config, ConfigDict):
        settings = config.to_dict()
    elif isinstance(config, Mapping):
        settings, typed = get_config().to_dict(), flatten(config) | typed
    else:
        raise ConfigError(
            f"config: {show(config)} is not allowed; use the name of an experiment, a "
            "file, a ConfigDict or a mapping of settings"
        )
    checked = parse(Config, flatten(settings) | typed)
    check_overrides(checked, typed)
    cells = expand(checked, typed)
    require_library(checked.log)
    directory = usable_directory("workdir", os.fspath(workdir))
    request = {
        "config_file": name,
        "config": checked.to_json(),
        "overrides": {key: flatten(checked.to_json())[key] for key in typed},
        "shard": None,
    }
    from repjax.sweep import train_cells

    try:
        train_cells(cells, directory, request, quiet=not progress)
    except ConfigError:
        remove_empty_directories()
        raise
    return load(workdir)


def load(workdir: Path_) -> Sweep:
    """Return the finished cells of a workdir: results, trajectories, networks.

    Imported networks, which have no past, are measured first.

    Args:
        workdir: directory that was trained in or imported to; a path or gs://….

    Raises:
        ConfigError: it holds no finished cell, or a file is damaged.
    """
    directories = cell_directories([as_path(os.fspath(workdir))], "workdir")
    cells = [
        Cell(directory, results)
        for directory in directories
        if (results := _results(directory)) is not None
    ]
    if not cells:
        raise ConfigError(f"workdir: no cell in {workdir} is trained to the end")
    return Sweep(as_path(os.fspath(workdir)), cells)


def _results(directory: Path) -> CellResults | None:
    """Return the results of a cell, None if it is not trained to the end."""
    if CellResults.exists(directory):
        return CellResults.load(directory)
    past = round_of(directory)
    if past is None or not past.is_trained:
        return None
    from repjax.dissection import FinishedCell
    from repjax.engine import backend

    backend.prepare()
    return FinishedCell(directory).results
