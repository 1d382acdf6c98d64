"""Regenerate Table 3 and seeds.csv from the checkpoints of one or many workdirs.

repjax table3 --workdir=DIR [--workdir=DIR2 …] [--out=DIR]
"""

import sys
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absl import flags

from repjax import command_line
from repjax.command_line import usable_directory
from repjax.groups import build_group
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import as_path
from repjax.storage.results import CellResults
from repjax.storage.rounds import Round, round_of
from repjax.storage.workdirs import (
    cell_directories,
    check_distinct,
    missing,
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
    """Compute the final metrics of all runs from checkpoints and write the tables."""
    if not _WORKDIRS.value:
        raise ConfigError("--workdir: missing; use a directory that was trained in")
    workdirs = [as_path(name) for name in _WORKDIRS.value]
    directories = cell_directories(workdirs)
    check_distinct(directories)
    flag, name = (
        ("--out", _OUT.value) if _OUT.value else ("--workdir", _WORKDIRS.value[0])
    )
    out = usable_directory(flag, name)

    from repjax.report.console import print_table3
    from repjax.report.seeds import write_seeds
    from repjax.report.table3 import write_table3

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
    print(f"repjax: seeds.csv and table3.* are in {out}")


def final_results(directories: Sequence[Path]) -> list[CellResults]:
    """Return the final metrics of all finished cells; name the others on stderr.

    Results are saved for cells that have none, such as imported networks.
    """
    from repjax.engine import backend
    from repjax.engine.placement import fit_together, frame_of
    from repjax.engine.programs import Programs, program_key
    from repjax.engine.saved import reevaluate

    backend.prepare()
    backend.require_devices()
    found: dict[Path, CellResults] = {}
    by_program: dict[Hashable, list[Round]] = {}
    for past in _rounds_of(directories):
        by_program.setdefault(program_key(past.cells), []).append(past)
    frames = [
        frame_of([past.cells for past in rounds]).cell for rounds in by_program.values()
    ]

    def evaluate(rounds: Sequence[Round]) -> None:
        programs = Programs([past.cells for past in rounds])
        for past in rounds:
            for results in reevaluate(past, programs) or []:
                found[_folder(past, results.cell)] = results

    # Two programs at a time: one is compiled while another runs.
    workers = 2 if fit_together(frames) else 1
    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(evaluate, by_program.values()))
    for directory in directories:
        if directory not in found:
            print(f"repjax: {directory} {_why_none(directory)}", file=sys.stderr)
        elif not CellResults.exists(directory):
            found[directory].save(directory)
    return [found[directory] for directory in directories if directory in found]


def _rounds_of(directories: Sequence[Path]) -> list[Round]:
    """Return the rounds of cells in these folders, each once."""
    rounds: dict[Path, Round] = {}
    for directory in directories:
        try:
            past = round_of(directory)
            for cell in past.cells if past is not None else ():
                build_group(cell.group)
        except ValueError as error:  # a group or settings that are no longer known
            raise ConfigError(f"{directory}: {error}") from None
        if past is not None:
            rounds[past.directory] = past
    return list(rounds.values())


def _folder(past: Round, cell: CellConfig) -> Path:
    """Return the folder of one of the cells of a round."""
    if len(past.cells) == 1:
        return past.directory
    return past.directory.parent.parent / cell.name


def _why_none(directory: Path) -> str:
    """Explain why a folder has no final results."""
    if CellResults.exists(directory):
        return (
            "is finished, but its last checkpoint is gone; to train it again, remove "
            "its trajectory.npz and call repjax.main"
        )
    return "is not trained to the end"


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
