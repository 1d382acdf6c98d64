"""Weights of a finished cell at earlier steps, kept beside it once they were trained.

The file is a convenience: it may be removed, and is not used for another cell, other
steps or by another version.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from repjax import __version__
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import is_local
from repjax.storage.tensors import read_tensors, write_tensors

KEPT = "memorised.safetensors"
"""File in the folder of a cell."""

MOST_KEPT = 2**28
"""Largest size of that file, in bytes."""

_FORMAT = "repjax memorised"


def keep_weights(
    directory: Path,
    cell: CellConfig,
    steps: Sequence[int],
    weights: Mapping[str, np.ndarray],
) -> None:
    """Keep the weights of each run of a cell at its own step.

    Nothing is kept if they are large, or the folder is read-only or in a bucket.
    """
    if is_local(directory) and sum(x.nbytes for x in weights.values()) <= MOST_KEPT:
        with contextlib.suppress(OSError):
            write_tensors(directory / KEPT, weights, _origin(cell, steps))


def kept_weights(
    directory: Path, cell: CellConfig, steps: Sequence[int]
) -> dict[str, np.ndarray] | None:
    """Return what `keep_weights` kept for the same arguments, None without it."""
    try:
        weights, origin = read_tensors(directory / KEPT, _FORMAT)
    except ConfigError:  # missing or damaged
        return None
    return weights if origin == _origin(cell, steps) else None


def _origin(cell: CellConfig, steps: Sequence[int]) -> dict[str, str]:
    """Return all on which the weights depend, as metadata of their file."""
    return {
        "format": _FORMAT,
        "version": __version__,
        "cell": json.dumps(cell.to_json(), sort_keys=True),
        "steps": json.dumps(steps),
    }
