"""Rounds: cells that are trained, saved and resumed together.

Cells of one program with the same number of steps and the same evaluations form a
round. A round of one cell has its checkpoints in the folder of that cell, a round of
several in `DIR/programs/<id>/`, with the settings of all its cells in `cells.json`. A
round that was begun resumes as it began, whatever cells a later call names.
"""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

from repjax.groups import build_group
from repjax.settings.config import CellConfig, RunSettings, shape_of
from repjax.settings.rules import ConfigError, Kind
from repjax.storage.files import read_json, version, write_json
from repjax.storage.group_tables import recall_group

MAY_CHANGE = (
    "checkpoint.every_seconds",
    "checkpoint.keep",
    "checkpoint.snapshots",
    "max_chunk_seconds",
    "runs_per_device",
)
"""Settings that may differ between calls: none changes a result beyond rounding."""

_CELLS = "cells.json"


@dataclass(frozen=True)
class Round:
    """Cells whose runs are at the same step, in one checkpoint.

    Attributes:
        cells: in the order of their runs.
        directory: folder that holds, or will hold, `checkpoints/`.
    """

    cells: tuple[CellConfig, ...]
    directory: Path

    @property
    def name(self) -> str:
        """Title for messages and progress."""
        return title(self.cells)

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.directory / "checkpoints"

    @property
    def num_runs(self) -> int:
        """Number of runs in all its cells."""
        return sum(len(cell.seeds) for cell in self.cells)

    @property
    def num_steps(self) -> int:
        """Steps that each of its runs takes."""
        return self.cells[0].num_steps

    @property
    def is_trained(self) -> bool:
        """Return whether there is a checkpoint of the last step."""
        return (self.checkpoints / str(self.num_steps)).is_dir()

    def holds(self, cell: CellConfig) -> bool:
        """Return whether one of its cells has the name and settings of `cell`."""
        mine = self._by_name.get(cell.name)
        return mine is not None and same_settings(mine, cell)

    @cached_property
    def _by_name(self) -> dict[str, CellConfig]:
        return {cell.name: cell for cell in self.cells}

    def rows(self, cell: CellConfig) -> slice:
        """Return the rows of a cell on the run axis of the round."""
        return self._rows[cell.name]

    @cached_property
    def _rows(self) -> dict[str, slice]:
        ends = accumulate(len(cell.seeds) for cell in self.cells)
        return {
            cell.name: slice(end - len(cell.seeds), end)
            for cell, end in zip(self.cells, ends, strict=True)
        }

    def to_json(self) -> list:
        """Return the content of `cells.json`."""
        return [cell.to_json() for cell in self.cells]

    def write_record(self) -> None:
        """Write the list of cells, unless the round is one cell in its own folder."""
        if len(self.cells) > 1:
            write_json(self.directory / _CELLS, self.to_json())


def form_rounds(cells: Collection[CellConfig], workdir: Path) -> list[Round]:
    """Return the rounds in which unfinished cells are to be trained.

    All cells of a round that was begun are trained, even if not in `cells`.

    Raises:
        ConfigError: the record of a round in `workdir` is damaged.
    """
    begun = _begun(workdir)
    rounds: dict[Path, Round] = {}
    new = []
    for cell in cells:
        past = _find(cell, workdir / cell.name, begun)
        if past is None:
            new.append(cell)
        elif past.directory not in rounds:
            rounds[past.directory] = _as_wanted(past, cell)
    for together in group(new):
        started = Round(tuple(together), workdir / _folder(together))
        rounds[started.directory] = started
    return list(rounds.values())


def group(cells: Iterable[CellConfig]) -> list[list[CellConfig]]:
    """Group cells into the rounds that they would form if none had been begun."""
    together: dict[Hashable, list[CellConfig]] = {}
    for cell in cells:
        together.setdefault(_key(cell), []).append(cell)
    return list(together.values())


def title(cells: Sequence[CellConfig]) -> str:
    """Return the title of a round: its cell's name, or kind and number of cells."""
    first = cells[0]
    if len(cells) == 1:
        return first.name
    order = build_group(first.group).order
    return f"order {order}, {first.architecture}, {len(cells)} cells"


def round_of(directory: Path) -> Round | None:
    """Return the round that holds the cell in a folder, None if none was begun."""
    cell = CellConfig.from_json(read_json(directory / "config.json"))
    past = _find(cell, directory, _begun(directory.parent))
    recall_group(cell, directory)
    for other in past.cells if past is not None else ():
        if other.name != cell.name:
            recall_group(other, directory.parent / other.name)
    return past


def _find(cell: CellConfig, directory: Path, begun: Iterable[Round]) -> Round | None:
    """Return the round of a cell; of several, one that is trained if possible."""
    alone = Round((cell,), directory)
    if alone.checkpoints.is_dir():
        return alone
    found = [past for past in begun if past.holds(cell)]
    return max(found, key=lambda past: past.is_trained, default=None)


def same_settings(one: CellConfig, other: CellConfig) -> bool:
    """Return whether two cells differ at most in the settings of `MAY_CHANGE`."""
    first, second = one.flat, other.flat
    return first.keys() == second.keys() and all(
        first[key] == second[key] for key in first.keys() - {*MAY_CHANGE}
    )


def _key(cell: CellConfig) -> Hashable:
    """Return the key that cells of one round share."""
    return build_group(cell.group).order, shape_of(cell), _host_settings(cell)


def _host_settings(settings: object) -> tuple:
    """Return the settings that concern the host: steps, evaluations, checkpoints."""
    found: list = []
    for field in dataclasses.fields(RunSettings):
        value = getattr(settings, field.name)
        if field.metadata.get("kind") is Kind.HOST:
            found.append((field.name, value))
        elif field.name in ("evaluation", "checkpoint"):
            found.append((field.name, dataclasses.astuple(value)))
    return tuple(found)


def _as_wanted(past: Round, wanted: CellConfig) -> Round:
    """Return a begun round with the settings of a wanted cell that may change."""
    cells = tuple(
        replace(
            cell,
            checkpoint=wanted.checkpoint,
            max_chunk_seconds=wanted.max_chunk_seconds,
            runs_per_device=wanted.runs_per_device,
        )
        for cell in past.cells
    )
    return replace(past, cells=cells)


def _folder(cells: Sequence[CellConfig]) -> str:
    """Return the folder of a new round; the same runs always give the same folder."""
    first = cells[0]
    if len(cells) == 1:
        return first.name
    runs = json.dumps([[cell.name, cell.seeds] for cell in cells])
    digest = hashlib.sha256(runs.encode()).hexdigest()[:8]
    order = build_group(first.group).order
    return f"programs/order{order}_{first.architecture}_{digest}"


def _begun(workdir: Path) -> list[Round]:
    """Return the rounds of several cells in a workdir."""
    records = sorted(workdir.glob(f"programs/*/{_CELLS}"))
    return [_read_round(path, version(path)) for path in records]


@lru_cache(maxsize=256)
def _read_round(path: Path, _version: tuple[float, int]) -> Round:
    try:
        cells = tuple(CellConfig.from_json(values) for values in read_json(path))
        return Round(cells, path.parent)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: not a readable list of cells ({error}); put back a copy, or "
            f"remove {path.parent}, whose cells then start at step 0"
        ) from None
