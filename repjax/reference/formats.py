"""Translate names, orders and shapes between the authors' files and repjax.

Their code is PyTorch; their transformer has the tensors of TransformerLens. NumPy only.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from repjax.groups.generation import generation_order
from repjax.groups.permutations import build_permutations
from repjax.settings.config import CellConfig, flatten
from repjax.settings.rules import ConfigError, check_key, show

FAMILIES = {
    "CyclicGroup": "C",
    "DihedralGroup": "D",
    "SymmetricGroup": "S",
    "AlternatingGroup": "A",
}
ARCHITECTURES = {"OneLayerMLP": "mlp", "Transformer": "transformer"}

_TENSORS = {
    "transformer": {
        "W_E": "embed.W_E",
        "W_pos": "pos_embed.W_pos",
        "W_Q": "blocks.0.attn.W_Q",
        "W_K": "blocks.0.attn.W_K",
        "W_V": "blocks.0.attn.W_V",
        "W_O": "blocks.0.attn.W_O",
        "W_in": "blocks.0.mlp.W_in",
        "W_out": "blocks.0.mlp.W_out",
        "W_U": "unembed.W_U",
    },
}
"""Architecture → our name of a weight → the authors' name, where it differs."""

ELEMENT_AXES = {"W_x": 0, "W_y": 0, "W_E": 0, "W_U": 1}
"""Axis of a weight that runs over group elements; the last row of W_E is "="."""

_NOT_IN_CFG: dict[str, Any] = {
    "task": "a*b",
    "matmul_precision": "highest",
    # The fewest allowed: only the last step of the training is known.
    "evaluation": {"num_evaluations": 2},
    "checkpoint": {"every_seconds": 60.0, "keep": 2},
    "max_chunk_seconds": 5.0,
    "runs_per_device": 0,
    "transformer": {
        "num_heads": 4,
        "d_model": 128,
        "d_head": 32,
        "d_mlp": 512,
        "init_scale": 0.8,
    },
}
_PYTORCH_EPS = 1e-8

PAPER = {
    "task": _NOT_IN_CFG["task"],
    "optimizer.learning_rate": 1e-3,
    "optimizer.weight_decay": 1.0,
    "optimizer.beta1": 0.9,
    "optimizer.beta2": 0.98,
    "optimizer.eps": _PYTORCH_EPS,
    "mlp.embed_dim": 256,
    "mlp.hidden_dim": 128,
    **flatten({"transformer": _NOT_IN_CFG["transformer"]}),
}
"""Settings shared by all runs of the paper's Table 3; the others vary by cell."""


def parse_cfg(cfg: Any) -> CellConfig:
    """Return the cell, of a single seed, that a `cfg.json` describes.

    Raises:
        ConfigError: a key is missing, or its value is not one of the authors'.
    """
    try:
        architecture = _word(cfg, "model", ARCHITECTURES)
        family = _word(cfg, "group", FAMILIES)
        beta1, beta2 = cfg["betas"]
        sizes = {key: PAPER[f"mlp.{key}"] for key in ("embed_dim", "hidden_dim")}
        if architecture == "mlp":  # a transformer's cfg has sizes too, but ignores them
            sizes = {key: cfg["layers"][key] for key in sizes}
        values = _NOT_IN_CFG | {
            "group": f"{family}{cfg['group_parameter']}",
            "architecture": architecture,
            "seeds": [cfg["seed"]],
            "swept": [],
            "num_steps": cfg["num_epochs"],
            "train_fraction": cfg["frac_train"],
            "mlp": sizes,
            "optimizer": {
                "learning_rate": cfg["lr"],
                "weight_decay": cfg["weight_decay"],
                "beta1": beta1,
                "beta2": beta2,
                "eps": _PYTORCH_EPS,
            },
        }
    except ConfigError:
        raise
    except KeyError as error:
        raise ConfigError(f"{error} is missing") from None
    except (TypeError, ValueError):
        raise ConfigError("not the settings of a run") from None
    cell = CellConfig.from_json(values)
    group_order(cell.group)
    return cell


def _word(cfg: Mapping[str, Any], key: str, known: Mapping[str, str]) -> str:
    """Return our word for the authors' word at `key`."""
    if not isinstance(cfg[key], str):
        raise ConfigError(f"{key}: {show(cfg[key])}; use one of {', '.join(known)}")
    check_key(cfg[key], known, where=f"{key}: ")
    return known[cfg[key]]


def group_order(group: str) -> int:
    """Return the order of a group that the authors' code can build."""
    family, degree = group[0], group[1:]
    least = {"C": 1, "D": 3, "S": 2, "A": 5}[family]
    most = {"C": 10_000, "D": 5_000, "S": 7, "A": 5}[family]
    if not degree.isdecimal() or not least <= int(degree) <= most:
        raise ConfigError(
            f"group_parameter: '{degree}' is not allowed; use {least} to {most} "
            f"for {family}<n>"
        )
    n = int(degree)
    return {
        "C": n,
        "D": 2 * n,
        "S": math.factorial(n),
        "A": math.factorial(n) // 2,
    }[family]


def short_name(irrep: str) -> str:
    """Return our name of an irrep: theirs without a group prefix (s5_5d_a → 5d_a)."""
    return re.sub(r"^[as]\d_", "", irrep)


def tensor_name(architecture: str, weight: str) -> str:
    """Return the authors' name of a weight; ours for architectures that they lack."""
    return _TENSORS.get(architecture, {}).get(weight, weight)


def our_index(group: str) -> Int[np.ndarray, " group"]:
    """Return our index of each element, in the authors' order."""
    if group[0] in "CD":
        return np.arange(group_order(group))
    theirs = generation_order(group)
    degree = theirs.shape[1]
    # Our permutations are sorted, and so are their images read as digits.
    digits = degree ** np.arange(degree)[::-1]
    ours = build_permutations(degree, even=group[0] == "A")
    return np.searchsorted(ours @ digits, theirs @ digits)


def reorder(
    name: str, weight: np.ndarray, order: Int[np.ndarray, " group"]
) -> np.ndarray:
    """Return the weight called `name` with the group's elements in `order`."""
    if name not in ELEMENT_AXES:
        return weight
    axis = ELEMENT_AXES[name]
    others = np.arange(len(order), weight.shape[axis])
    return np.take(weight, np.concatenate([order, others]), axis)


def zero_biases(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return zeros for TransformerLens's biases, which these transformers lack."""
    heads, model, head = weights["W_Q"].shape
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("attn.b_Q", "attn.b_K", "attn.b_V"), (heads, head)),
        "attn.b_O": (model,),
        "mlp.b_in": (weights["W_in"].shape[1],),
        "mlp.b_out": (model,),
    }
    biases = {f"blocks.0.{name}": shape for name, shape in shapes.items()}
    biases["unembed.b_U"] = (weights["W_U"].shape[1],)
    return {name: np.zeros(shape, np.float32) for name, shape in biases.items()}
