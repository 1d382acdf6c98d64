"""Ensembles for the rounds of a sweep; equal shapes share compiled programs."""

from collections.abc import Hashable, Sequence

import jax

from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import Parts, build_ensemble
from repjax.engine.placement import frame_of, plan_for
from repjax.groups import build_group
from repjax.settings.config import CellConfig, shape_of

Cells = Sequence[CellConfig]


class Programs:
    """The programs of a sweep, each compiled once for all rounds that use it.

    A program has room for the most runs, training pairs, irreps and groups of any of
    its rounds; the others are padded. Rounds that are trained in parts have programs
    of their own.
    """

    def __init__(self, rounds: Sequence[Cells]):
        """Group the rounds by program; nothing is compiled yet."""
        self._rounds: dict[Hashable, list[Cells]] = {}
        for cells in rounds:
            self._rounds.setdefault(program_key(cells), []).append(cells)
        self._ensembles: dict[Hashable, Ensemble] = {}

    def ensemble(self, cells: Cells) -> Ensemble | Parts:
        """Return the ensemble of a round given to the constructor."""
        key = program_key(cells)
        frame = frame_of(self._rounds[key])
        if plan_for(frame.cell).parts > 1:
            return build_ensemble(cells)
        if key not in self._ensembles:
            self._ensembles[key] = Ensemble(cells, frame=frame)
        return self._ensembles[key].with_cells(cells)


def program_key(cells: Cells) -> Hashable:
    """Return the key that rounds of one program share.

    It holds the order of their groups and the settings that are shapes; on
    accelerators, where padding takes time, also the number of runs up to a factor of 2.
    """
    first = cells[0]
    on_cpu = jax.default_backend() == "cpu"
    runs = sum(len(cell.seeds) for cell in cells)
    size = 0 if on_cpu else (runs - 1).bit_length()
    return build_group(first.group).order, size, shape_of(first)
