"""Ensembles of the cells of a sweep: cells of equal shapes share compiled programs."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import jax

from repjax.config import CellConfig, shape_of
from repjax.ensemble import Ensemble
from repjax.groups import build_group, real_irreps
from repjax.parts import Parts, build_ensemble
from repjax.placement import num_pairs_of, plan_for


class Programs:
    """The programs of a sweep, each compiled once, whichever cells come to use it.

    A program is made for the most runs, training pairs and irreps of its cells; the
    others are padded. Cells that are trained in parts, or on several hosts, whose
    checkpoints hold arrays as they lie on the devices, have programs of their own.
    """

    def __init__(self, cells: Sequence[CellConfig]):
        """Note which cells there are; nothing is compiled yet."""
        self._cells: dict[Hashable, list[CellConfig]] = {}
        for cell in cells:
            self._cells.setdefault(program_key(cell), []).append(cell)
        self._ensembles: dict[Hashable, Ensemble] = {}

    def ensemble(self, cell: CellConfig) -> Ensemble | Parts:
        """Return the runs of a cell that was noted, in the programs of its shape."""
        key = program_key(cell)
        sharing = self._cells[key]
        largest = _largest(sharing)
        if len(sharing) == 1 or jax.process_count() > 1 or plan_for(largest).parts > 1:
            return build_ensemble(cell)
        if key not in self._ensembles:
            self._ensembles[key] = Ensemble(largest)
        return self._ensembles[key].with_cell(cell)


def program_key(cell: CellConfig) -> Hashable:
    """Return what cells of one program have in common.

    The order of their groups, the settings that are shapes, and the number of runs up
    to a factor of 2, since the smaller are padded.
    """
    runs = (len(cell.seeds) - 1).bit_length()
    return build_group(cell.group).order, runs, shape_of(cell)


def _largest(cells: Sequence[CellConfig]) -> CellConfig:
    """A cell with the most runs, training pairs and irreps of any of these."""
    return replace(
        max(cells, key=lambda cell: len(real_irreps(build_group(cell.group)))),
        seeds=max((cell.seeds for cell in cells), key=len),
        train_fraction=max(cells, key=num_pairs_of).train_fraction,
    )
