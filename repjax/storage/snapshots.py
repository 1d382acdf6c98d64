"""Weights of all runs of a round at evaluated steps, one safetensors file a step.

`<round>/snapshots/<step>.safetensors` holds each weight under its own name, the runs of
all cells on the first axis. It lacks the optimiser's state, so training cannot resume.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from repjax.storage.rounds import Round
from repjax.storage.tensors import read_tensors, write_tensors

FORMAT = "repjax snapshot 1"


def save_snapshot(past: Round, step: int, weights: Mapping[str, np.ndarray]) -> None:
    """Write the weights of a round at `step`; the first axis of each array is runs."""
    cells = {cell.name: cell.seeds for cell in past.cells}
    metadata = {"format": FORMAT, "step": str(step), "cells": json.dumps(cells)}
    write_tensors(_path(past, step), weights, metadata)


def snapshot_steps(past: Round) -> list[int]:
    """Return the steps that have a snapshot."""
    found = (past.directory / "snapshots").glob("*.safetensors")
    return sorted(int(path.stem) for path in found if path.stem.isdecimal())


def load_snapshot(past: Round, step: int) -> dict[str, np.ndarray]:
    """Return the weights at a step of `snapshot_steps`; the first axis is runs.

    Raises:
        ConfigError: the file is damaged, or of another kind.
    """
    return read_tensors(_path(past, step), FORMAT)[0]


def _path(past: Round, step: int) -> Path:
    return past.directory / "snapshots" / f"{step}.safetensors"
