"""Cells of more runs than devices can hold: ensembles that take the devices in turn."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from repjax.config import CellConfig
from repjax.ensemble import Ensemble
from repjax.placement import plan_for
from repjax.state import RunState

PartStates = list[RunState]
"""States of the parts of a cell, on the host."""


class Parts:
    """An ensemble in parts, each a program's worth of runs; answers as one does.

    The states stay on the host, and each part visits the devices for a chunk at a time.
    So all runs are at the same step, in one checkpoint.

    Attributes:
        cell: what is trained.
        num_runs: runs of the cell.
        overhead: seconds of the last `train` in which states were moved.
    """

    overhead = 0.0

    def __init__(
        self,
        cell: CellConfig,
        num_parts: int,
        devices: Sequence[jax.Device] | None = None,
    ):
        """Divides `cell` into parts of nearly as many runs, all in one program."""
        self.cell = cell
        self.num_runs = len(cell.seeds)
        # The first part is the largest, or as large as any.
        first, *others = (
            tuple(seeds.tolist())
            for seeds in np.array_split(np.array(cell.seeds), num_parts)
        )
        largest = Ensemble(replace(cell, seeds=first), devices)
        self._ensembles = [
            largest,
            *(largest.with_cell(replace(cell, seeds=seeds)) for seeds in others),
        ]
        self._ends = np.cumsum([part.num_runs for part in self._ensembles])
        self.model = self._ensembles[0].model
        self.basis = self._ensembles[0].basis

    def init(self) -> PartStates:
        """Every run at step 0."""
        return [part.fetch(part.init()) for part in self._ensembles]

    def train(
        self, states: PartStates, num_steps: int
    ) -> tuple[PartStates, list[np.ndarray]]:
        """`num_steps` steps of every run. Also the last losses, by part."""
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
        """Every metric of every run; see `Ensemble.evaluate`."""
        return _join(
            [
                part.evaluate(part.place(state), only_tables)
                for part, state in zip(self._ensembles, states, strict=True)
            ]
        )

    def fetch(self, trees: Any) -> Any:
        """One tree of all runs on the host, from one of each part."""
        return _join(trees)

    def to_save(self, states: PartStates) -> RunState:
        """The state as a checkpoint takes it; see `Ensemble.to_save`."""
        return self.fetch(states)

    def place(self, tree: Any) -> list[Any]:
        """The tree of a fetched ensemble, divided."""
        starts = [0, *self._ends[:-1]]
        return [
            jax.tree.map(lambda x, i=first, j=last: np.asarray(x)[i:j], tree)
            for first, last in zip(starts, self._ends, strict=True)
        ]

    def abstract(self) -> RunState:
        """Shapes and types of a fetched state."""
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.num_runs, *x.shape[1:]), x.dtype),
            self._ensembles[0].abstract(),
        )


def build_ensemble(
    cell: CellConfig, devices: Sequence[jax.Device] | None = None
) -> Ensemble | Parts:
    """All runs of a cell, as one program if that fits on the devices."""
    parts = plan_for(cell, devices).parts
    return Ensemble(cell, devices) if parts == 1 else Parts(cell, parts, devices)


def _join(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *trees)
