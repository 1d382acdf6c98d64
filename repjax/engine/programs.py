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

    def __init__(self, rounds: Sequence[Cells], finished: Sequence[Cells] = ()):
        """Group the rounds by program; nothing is compiled yet.

        Args:
            rounds: rounds to be trained or evaluated.
            finished: rounds of the same sweep that are finished. The frame is still
                that of the whole sweep, so that a restart rounds like the first call:
                sums over irreps depend, in the last bits, on how many pad them.
        """
        self._rounds = _by_program(rounds)
        self._finished = _by_program(finished)
        self._ensembles: dict[Hashable, Ensemble] = {}

    def ensemble(self, cells: Cells) -> Ensemble | Parts:
        """Return the ensemble of a round given to the constructor."""
        key = program_key(cells)
        rounds, finished = self._rounds[key], self._finished.get(key, [])
        if not _on_cpu():  # where runs are batched, rounding depends on their number
            rounds, finished = [*rounds, *finished], []
        frame = frame_of(rounds, finished)
        if plan_for(frame.cell).parts > 1:
            return build_ensemble(cells)
        if key not in self._ensembles:
            self._ensembles[key] = Ensemble(cells, frame=frame)
        return self._ensembles[key].with_cells(cells)


def _by_program(rounds: Sequence[Cells]) -> dict[Hashable, list[Cells]]:
    found: dict[Hashable, list[Cells]] = {}
    for cells in rounds:
        found.setdefault(program_key(cells), []).append(cells)
    return found


def program_key(cells: Cells) -> Hashable:
    """Return the key that rounds of one program share.

    It holds the order of their groups and the settings that are shapes; on
    accelerators, where padding takes time, also the number of runs up to a factor of 2.
    """
    first = cells[0]
    runs = sum(len(cell.seeds) for cell in cells)
    size = 0 if _on_cpu() else (runs - 1).bit_length()
    return build_group(first.group).order, size, shape_of(first)


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
