"""What the runs of some cells carry as data."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from repjax.engine.placement import bases_of, num_pairs_of
from repjax.settings.config import CellConfig
from repjax.training.optim import AdamW
from repjax.training.state import RunData


def run_data(cells: Sequence[CellConfig]) -> RunData:
    """Return the data of the runs of some cells: seeds, optimisers, basis indices."""
    index = {basis: i for i, basis in enumerate(bases_of(cells))}
    runs = [len(cell.seeds) for cell in cells]

    def each(values: Iterable[Any], dtype: Any = np.float32) -> np.ndarray:
        return np.repeat(np.array([*values], dtype), runs)

    def by_name(settings: Sequence[dict[str, float]]) -> dict[str, np.ndarray]:
        return {name: each(one[name] for one in settings) for name in settings[0]}

    return RunData(
        seed=np.concatenate([np.array(cell.seeds, np.uint32) for cell in cells]),
        num_pairs=each(map(num_pairs_of, cells), np.int32),
        optimizer=AdamW(
            **by_name([dataclasses.asdict(cell.optimizer) for cell in cells])
        ),
        initial=by_name([cell.sizes.initial() for cell in cells]),
        basis=each((index[cell.group, cell.task] for cell in cells), np.int32),
    )
