"""Weights of all runs of a round at evaluated steps, one safetensors file a step.

`<round>/snapshots/<step>.safetensors` holds each weight under its own name, the runs of
all cells on the first axis. It lacks the optimiser's state, so training cannot resume.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from repjax.settings.rules import ConfigError
from repjax.storage.files import write_atomically
from repjax.storage.rounds import Round

FORMAT = "repjax snapshot 1"


def save_snapshot(past: Round, step: int, weights: Mapping[str, np.ndarray]) -> None:
    """Write the weights of a round at `step`; the first axis of each array is runs."""
    from safetensors.numpy import save

    folder = past.directory / "snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    cells = {cell.name: cell.seeds for cell in past.cells}
    metadata = {"format": FORMAT, "step": str(step), "cells": json.dumps(cells)}
    # safetensors writes the memory of an array, whatever its order.
    whole = {name: np.ascontiguousarray(x) for name, x in weights.items()}
    data = save(whole, metadata)
    write_atomically(_path(past, step), lambda file: file.write(data))


def snapshot_steps(past: Round) -> list[int]:
    """Return the steps that have a snapshot."""
    found = (past.directory / "snapshots").glob("*.safetensors")
    return sorted(int(path.stem) for path in found if path.stem.isdecimal())


def load_snapshot(past: Round, step: int) -> dict[str, np.ndarray]:
    """Return the weights at a step of `snapshot_steps`; the first axis is runs.

    Raises:
        ConfigError: the file is damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    path = _path(past, step)
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise ConfigError(f"{path}: not a snapshot; remove it")
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path}: not a readable snapshot: {error}") from None


def _path(past: Round, step: int) -> Path:
    return past.directory / "snapshots" / f"{step}.safetensors"
