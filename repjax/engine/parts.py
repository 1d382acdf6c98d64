"""Train more runs than devices can hold, in parts that use them in turn."""

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import jax
import numpy as np

from repjax.engine.ensemble import Ensemble
from repjax.engine.placement import Frame, frame_of, plan_for
from repjax.settings.config import CellConfig
from repjax.training.state import RunState

PartStates = list[RunState]
"""States of the parts, on the host."""


class Parts:
    """An ensemble in parts that each fit a program, with the methods of `Ensemble`.

    The states stay on the host, and each part uses the devices for a chunk at a time.
    So all runs are at the same step, in one checkpoint.

    Attributes:
        cells: the cells trained.
        num_runs: number of runs in all cells.
        num_irreps: largest number of real irreps of a group.
        overhead: seconds that the last `train` spent on moving states.
    """

    overhead = 0.0

    def __init__(
        self,
        cells: Sequence[CellConfig],
        num_parts: int,
        devices: Sequence[jax.Device] | None = None,
    ):
        """Divide the runs into parts of nearly equal size, which share one program."""
        self.cells = tuple(cells)
        self.num_runs = sum(len(cell.seeds) for cell in cells)
        ends = np.linspace(0, self.num_runs, num_parts + 1).round().astype(int)
        parts = [
            take_runs(cells, first, last) for first, last in pairwise(ends.tolist())
        ]
        whole, runs = frame_of([cells]), int(np.diff(ends).max())
        frame = replace(whole, cell=replace(whole.cell, seeds=tuple(range(runs))))
        first = Ensemble(parts[0], devices, frame)
        self._ensembles = [first, *map(first.with_cells, parts[1:])]
        self._ends = ends[1:]
        self.num_irreps = max(part.num_irreps for part in self._ensembles)
        num_pairs = max(part.num_pairs for part in self._ensembles)
        for part in self._ensembles:  # so that their results can be joined
            part.num_pairs, part.num_irreps = num_pairs, self.num_irreps
        self.model = first.model

    def start_compiling(self) -> None:
        """Begin to compile, in threads, the programs that all parts share."""
        self._ensembles[0].start_compiling()

    def init(self) -> PartStates:
        """Return every run at step 0."""
        return [part.fetch(part.init()) for part in self._ensembles]

    def train(
        self, states: PartStates, num_steps: int
    ) -> tuple[PartStates, list[np.ndarray]]:
        """Take `num_steps` steps of every run; also return the last losses, by part."""
        trained, losses, moving = [], [], 0.0
        for part, state in zip(self._ensembles, states, strict=True):
            start = time.monotonic()
            placed = jax.block_until_ready(part.place(state))
            begin = time.monotonic()
            result = jax.block_until_ready(part.train(placed, num_steps))
            end = time.monotonic()
            result = part.fetch(result)
            moving += (begin - start) + (time.monotonic() - end)
            trained.append(result[0])
            losses.append(result[1])
        self.overhead = moving
        return trained, losses

    def evaluate(
        self, states: PartStates, only_tables: bool = False
    ) -> dict[str, np.ndarray]:
        """Return every metric of every run; see `Ensemble.evaluate`."""
        return _join(
            [
                part.evaluate(part.place(state), only_tables)
                for part, state in zip(self._ensembles, states, strict=True)
            ]
        )

    def fetch(self, trees: Any) -> Any:
        """Join the trees of the parts into one tree of all runs, on the host."""
        return _join(trees)

    def weights(self, states: PartStates) -> dict[str, np.ndarray]:
        """Return each weight of every run, by its name."""
        return _join([state.params["params"] for state in states])

    def to_save(self, states: PartStates) -> RunState:
        """Return the state for a checkpoint; see `Ensemble.to_save`."""
        return self.fetch(states)

    def place(self, tree: Any) -> list[Any]:
        """Divide a fetched tree of all runs into parts."""
        starts = [0, *self._ends[:-1]]
        return [
            jax.tree.map(lambda x, i=first, j=last: np.asarray(x)[i:j], tree)
            for first, last in zip(starts, self._ends, strict=True)
        ]

    def abstract(self) -> RunState:
        """Return shapes and types of a fetched state."""
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.num_runs, *x.shape[1:]), x.dtype),
            self._ensembles[0].abstract(),
        )


def build_ensemble(
    cells: Sequence[CellConfig],
    devices: Sequence[jax.Device] | None = None,
    frame: Frame | None = None,
) -> Ensemble | Parts:
    """Build the ensemble of cells of one shape: one program if it fits, else parts.

    The capacity of a program is `frame`, by default that of these cells.
    """
    frame = frame or frame_of([cells])
    parts = plan_for(frame.cell, devices).parts
    if parts == 1:
        return Ensemble(cells, devices, frame)
    return Parts(cells, parts, devices)


def take_runs(cells: Sequence[CellConfig], first: int, last: int) -> list[CellConfig]:
    """Return the runs from `first` up to `last`, as cells with fewer seeds."""
    taken = []
    ends = accumulate(len(cell.seeds) for cell in cells)
    for cell, end in zip(cells, ends, strict=True):
        begin = end - len(cell.seeds)
        seeds = cell.seeds[max(first - begin, 0) : max(last - begin, 0)]
        if seeds:
            taken.append(replace(cell, seeds=seeds))
    return taken


def _join(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *trees)
