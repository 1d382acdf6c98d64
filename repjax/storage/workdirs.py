"""Treat several workdirs as one sweep: list their cells, find missing runs."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from repjax.settings.config import CellConfig, Config
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import expand
from repjax.storage.files import read_json
from repjax.storage.group_tables import recall_group
from repjax.storage.results import CellResults
from repjax.storage.rounds import form_rounds, round_of

_SETTINGS, _MANIFEST = "config.json", "manifest.json"


def cell_directories(
    workdirs: Iterable[Path], argument: str = "--workdir"
) -> list[Path]:
    """Return the folders of cells in each workdir, by name.

    Args:
        workdirs: directories that were trained in or imported to.
        argument: flag or argument that names them, for messages.

    Raises:
        ConfigError: a workdir holds no sweep, or all are shards without a run.
    """
    directories = []
    for workdir in workdirs:
        found = _cells_in(workdir)
        if not found and not (workdir / _MANIFEST).exists():
            raise ConfigError(f"{argument}: '{workdir}' {_fault_of(workdir)}")
        directories += found
    if not directories:
        raise ConfigError(f"{argument}: no cells there; add the other shards")
    return directories


def _cells_in(workdir: Path) -> list[Path]:
    return sorted(path.parent for path in workdir.glob(f"*/{_SETTINGS}"))


def _fault_of(directory: Path) -> str:
    """Explain why a directory is no workdir, and which is meant."""
    if not directory.exists():
        return "does not exist; use a directory that was trained in"
    if not directory.is_dir():
        return "is not a directory; use one that was trained in"
    if (directory / _SETTINGS).exists():
        return f"is a cell of {directory.parent}; use that directory"
    inside = [path for path in directory.iterdir() if path.is_dir() and _cells_in(path)]
    if inside:
        names = [str(path) for path in sorted(inside)]
        some = f"{', '.join(names[:10])}{', …' * (len(names) > 10)}"
        return f"holds workdirs; use one of {some}"
    return "holds no cells; use a directory that was trained in"


def read_cell(directory: Path) -> CellConfig:
    """Return the settings of the cell in a folder."""
    values = read_json(directory / _SETTINGS)
    try:
        cell = CellConfig.from_json(values)
    except ConfigError as error:  # a group or settings that are no longer known
        raise ConfigError(f"{directory}: {error}") from None
    recall_group(cell, directory)
    return cell


def steps_taken(cells: Iterable[CellConfig], workdir: Path) -> dict[str, int]:
    """Return the steps that cells have taken in a workdir, by name of the cell.

    Only the names of files are read, so a checkpoint may turn out to be damaged.
    """
    taken, left = {}, []
    for cell in cells:
        if CellResults.exists(workdir / cell.name):
            taken[cell.name] = cell.num_steps
        else:
            left.append(cell)
    for past in form_rounds(left, workdir):
        saved = [path.name for path in past.checkpoints.glob("*")]
        step = max((int(name) for name in saved if name.isdecimal()), default=0)
        taken |= {cell.name: step for cell in past.cells}
    return taken


def parse_step(text: str) -> int:
    """Parse the value of --step."""
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(
            f"--step: {text!r} is not allowed; use an integer, at least 0"
        )
    return int(text)


def check_distinct(directories: Iterable[Path]) -> None:
    """Raise `ConfigError` if two folders hold the same run, trained to the end.

    It would count twice in a mean. Unfinished duplicates are allowed: a shard that
    another machine took over leaves them behind.
    """
    owners: dict[tuple[str, int], Path] = {}
    for directory in directories:
        cell = read_cell(directory)
        past = round_of(directory)
        if past is None or not past.is_trained:
            continue
        for seed in cell.seeds:
            owner = owners.setdefault((cell.name, seed), directory)
            if owner is not directory:
                raise ConfigError(
                    f"--workdir: {cell.name} with seed {seed} is both in {owner} and "
                    f"in {directory}; leave one of them out"
                )


def wanted_seeds(workdirs: Iterable[Path]) -> dict[str, set[int]]:
    """Return cell → seeds of the whole sweeps to which the workdirs belong.

    The manifest of a shard holds the config of its whole sweep. Imported workdirs have
    no config, and are left out.
    """
    wanted: dict[str, set[int]] = {}
    for workdir in workdirs:
        path = workdir / _MANIFEST
        if not path.exists():
            continue
        try:
            manifest = read_json(path)
            if "config" not in manifest:
                continue
            config = Config.from_json(manifest["config"])
            cells = expand(config, manifest["overrides"])
        except (LookupError, TypeError, ValueError) as error:
            print(
                f"repjax: {path}: cannot tell which runs are missing: {error}",
                file=sys.stderr,
            )
            continue
        for cell in cells:
            wanted.setdefault(cell.name, set()).update(cell.seeds)
    return wanted


def missing(
    wanted: Mapping[str, set[int]], cells: Sequence[CellConfig]
) -> Iterator[str]:
    """Yield a line for each cell with runs that are missing from `cells`."""
    there: dict[str, set[int]] = {}
    for cell in cells:
        there.setdefault(cell.name, set()).update(cell.seeds)
    for name, seeds in wanted.items():
        if lacking := sorted(seeds - there.get(name, set())):
            yield f"{name}: {show_seeds(lacking)} missing: not in these workdirs"


def show_seeds(seeds: Sequence[int]) -> str:
    """Return increasing seeds in words: "seed 3", "seeds 1 to 4, 7"."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], seed]
        else:
            spans.append([seed])
    words = ", ".join(" to ".join(map(str, span)) for span in spans)
    return f"seed{'s' if len(seeds) > 1 else ''} {words}"
