"""Regenerates Table 3 and seeds.csv from the checkpoints of one or many workdirs.

python -m repjax.table3 --workdir=DIR [--workdir=DIR2 …] [--out=DIR]
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absl import flags

from repjax import command_line
from repjax.command_line import usable_directory
from repjax.files import as_path
from repjax.results import CellResults
from repjax.rules import ConfigError
from repjax.workdirs import (
    cell_directories,
    check_distinct,
    missing,
    read_cell,
    wanted_seeds,
)

_FLAGS = flags.FlagValues()
_WORKDIRS = flags.DEFINE_multi_string(
    "workdir",
    [],
    "Directory that a sweep was trained in; give several to merge them.",
    flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    "Directory of the tables; the first workdir if not given.",
    flag_values=_FLAGS,
)


def main() -> None:
    """Checkpoints → final metrics of all runs → tables."""
    if not _WORKDIRS.value:
        raise ConfigError("--workdir: missing; use a directory that was trained in")
    workdirs = [as_path(name) for name in _WORKDIRS.value]
    directories = cell_directories(workdirs)
    check_distinct(directories)
    flag, name = (
        ("--out", _OUT.value) if _OUT.value else ("--workdir", _WORKDIRS.value[0])
    )
    out = usable_directory(flag, name)

    from repjax.report.seeds import write_seeds
    from repjax.report.table3 import print_table3, write_table3

    results = final_results(directories)
    if not results:
        raise ConfigError(
            f"--workdir: no cell in {', '.join(_WORKDIRS.value)} is trained to the end"
        )
    for line in missing(wanted_seeds(workdirs), [cell.cell for cell in results]):
        print(f"repjax: {line}", file=sys.stderr)
    write_seeds(results, out)
    write_table3(results, out)
    print_table3(results)


def final_results(directories: Sequence[Path]) -> list[CellResults]:
    """Final metrics of all finished cells; names the others on stderr.

    A cell without results, as networks are that were imported, gets them.
    """
    from repjax import backend
    from repjax.placement import fit_together
    from repjax.train import reevaluate

    backend.prepare()
    backend.require_devices()

    def evaluate(directory: Path) -> CellResults | None:
        try:
            return reevaluate(directory)
        except ValueError as error:  # a group or settings that are no longer known
            raise ConfigError(f"{directory}: {error}") from None

    found = []
    # Two cells at a time: the program of one is compiled while that of another runs.
    workers = 2 if fit_together([*map(read_cell, directories)]) else 1
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for directory, results in zip(
            directories, pool.map(evaluate, directories), strict=True
        ):
            if results is None:
                print(f"repjax: {directory} {_why_none(directory)}", file=sys.stderr)
                continue
            if not CellResults.exists(directory):
                results.save(directory)
            found.append(results)
    return found


def _why_none(directory: Path) -> str:
    """Why a folder has no final results."""
    if CellResults.exists(directory):
        return (
            "is finished, but its last checkpoint is gone; to have it again, remove "
            "its trajectory.npz and call repjax.main"
        )
    return "is not trained to the end"


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
