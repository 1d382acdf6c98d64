"""Read the folders in which the paper's authors published their networks.

Each folder holds cfg.json and model.pt, a PyTorch state dict; torch is imported only
when one is read.
"""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from repjax.reference.formats import (
    group_order,
    our_index,
    parse_cfg,
    reorder,
    tensor_name,
)
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError

NOT_READABLE = "model.pt: not a readable PyTorch state dict"


@dataclass(frozen=True, eq=False)
class PublishedRun:
    """One published network, with group elements in our order.

    Attributes:
        directory: folder that it was read from.
        cell: its settings, with a single seed.
        weights: by our names, float32.
        train_pairs: increasing indices a·n + b.
    """

    directory: Path
    cell: CellConfig
    weights: dict[str, np.ndarray]
    train_pairs: Int[np.ndarray, " train"]


def require_torch() -> None:
    """Raise `ConfigError` if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(
            "torch is not installed, but needed to read published weights; "
            "use pip install 'repjax[torch]'"
        )


def read_run(directory: Path) -> PublishedRun:
    """Read the network in one of the authors' folders.

    Raises:
        ConfigError: a file is missing, damaged, or of another kind.
    """
    cell = read_cfg(directory)
    tensors = read_tensors(directory / "model.pt")
    weights = check_weights(tensors, cell)
    index = our_index(cell.group)
    place = np.argsort(index)  # the authors' index of each of our elements
    return PublishedRun(
        directory=directory,
        cell=cell,
        weights={name: reorder(name, w, place) for name, w in weights.items()},
        train_pairs=train_pairs(cell, index),
    )


def read_cfg(directory: Path) -> CellConfig:
    """Read cfg.json as a cell of a single seed."""
    try:
        return parse_cfg(json.loads((directory / "cfg.json").read_text()))
    except OSError as error:
        raise ConfigError(f"cfg.json: {error.strerror}") from None
    except ConfigError as error:
        raise ConfigError(f"cfg.json: {error}") from None
    except ValueError as error:
        raise ConfigError(f"cfg.json: not JSON: {error}") from None


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read a state dict's floating-point tensors as float32, running no code in it."""
    import torch

    if not path.is_file():
        raise ConfigError("model.pt: No such file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ConfigError(f"{NOT_READABLE}: it holds a {type(state).__name__}")
        return {
            str(name): tensor.detach().float().numpy()  # fails if sparse
            for name, tensor in state.items()
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
        }
    except ConfigError:
        raise
    except Exception as error:  # pickle, zip and torch each raise their own
        # Not torch's message, which advises running whatever code the file holds.
        raise ConfigError(f"{NOT_READABLE}: {type(error).__name__}") from None


def check_weights(
    tensors: dict[str, np.ndarray], cell: CellConfig
) -> dict[str, np.ndarray]:
    """Return a cell's weights by our names; reject biases that are not zero."""
    weights = {}
    for ours, shape in cell.sizes.weights(group_order(cell.group)).items():
        theirs = tensor_name(cell.architecture, ours)
        if theirs not in tensors:
            raise ConfigError(f"model.pt: tensor {theirs} is missing")
        weights[ours] = tensors[theirs]
        if weights[ours].shape != shape:
            raise ConfigError(
                f"model.pt: {theirs} has shape {weights[ours].shape}; "
                f"{cell.group} {cell.architecture} needs {shape}"
            )
        if not np.isfinite(weights[ours]).all():
            raise ConfigError(f"model.pt: {theirs} holds numbers that are not finite")
    for theirs, values in tensors.items():
        if theirs.rpartition(".")[2].startswith("b_") and np.any(values):
            raise ConfigError(f"model.pt: {theirs} is not zero; use no biases")
    return weights


def train_pairs(
    cell: CellConfig, index: Int[np.ndarray, " group"]
) -> Int[np.ndarray, " train"]:
    """Return the pairs that a run was trained on, as indices in our order.

    Args:
        cell: cell of the run.
        index: our index of each element in the authors' order.
    """
    import torch

    order = group_order(cell.group)
    generator = torch.Generator().manual_seed(cell.seeds[0])
    shuffled = torch.randperm(order**2, generator=generator).numpy()
    left, right = np.divmod(shuffled[: int(cell.train_fraction * order * order)], order)
    return np.sort(index[left] * order + index[right]).astype(np.int32)
