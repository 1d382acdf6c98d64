"""The networks as a textbook writes them: gather, concatenate, attend everywhere.

Independent of `repjax.models` and in float64. Each takes the weights of one run and
gives activations and logits; `xp` is NumPy, or `jax.numpy` to differentiate them.
"""

from typing import Any

import numpy as np

Weights = dict[str, Any]


def mlp(weights: Weights, left, right, xp=np) -> tuple[Any, Any]:
    """ReLU([x_a, y_b] W) W_U: one row of two concatenated embeddings per pair."""
    pair = xp.concatenate([weights["W_x"][left], weights["W_y"][right]], axis=1)
    hidden = xp.maximum(pair @ weights["W"], 0)
    return hidden, hidden @ weights["W_U"]


def bilinear(weights: Weights, left, right, xp=np) -> tuple[Any, Any]:
    """(x_a W₁ ⊙ y_b W₂) W_U, W₁ and W₂ being the halves of W."""
    upper, lower = xp.split(weights["W"], 2)
    hidden = (weights["W_x"][left] @ upper) * (weights["W_y"][right] @ lower)
    return hidden, hidden @ weights["W_U"]


def transformer(weights: Weights, left, right, xp=np) -> tuple[Any, Any]:
    """One layer on the tokens a, b, "=", at all three positions; read at the last."""
    equals = xp.full_like(left, len(weights["W_E"]) - 1)
    tokens = xp.stack([left, right, equals], axis=1)
    residual = weights["W_E"][tokens] + weights["W_pos"][None]
    queries, keys, values = (
        xp.einsum("ptm,hmd->phtd", residual, weights[name])
        for name in ("W_Q", "W_K", "W_V")
    )
    scores = xp.einsum("phqd,phkd->phqk", queries, keys) / queries.shape[-1] ** 0.5
    attention = xp.exp(scores - scores.max(axis=-1, keepdims=True))
    attention = attention / attention.sum(axis=-1, keepdims=True)
    mixed = xp.einsum("phqk,phkd->phqd", attention, values)
    residual = residual + xp.einsum("phqd,hdm->pqm", mixed, weights["W_O"])
    hidden = xp.maximum(residual @ weights["W_in"], 0)
    logits = (residual + hidden @ weights["W_out"]) @ weights["W_U"]
    return hidden[:, -1], logits[:, -1]


FORWARD = {"mlp": mlp, "bilinear": bilinear, "transformer": transformer}


def shapes(architecture: str, order: int, **sizes: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    if architecture != "transformer":
        embed, hidden = sizes["embed_dim"], sizes["hidden_dim"]
        return {
            "W_x": (order, embed),
            "W_y": (order, embed),
            "W": (2 * embed, hidden),
            "W_U": (hidden, order),
        }
    model, head, neurons = sizes["d_model"], sizes["d_head"], sizes["d_mlp"]
    heads = sizes["num_heads"]
    return {
        "W_E": (order + 1, model),
        "W_pos": (3, model),
        **dict.fromkeys(("W_Q", "W_K", "W_V"), (heads, model, head)),
        "W_O": (heads, head, model),
        "W_in": (model, neurons),
        "W_out": (neurons, model),
        "W_U": (model, order),
    }


def random_weights(
    seed: int, architecture: str, order: int, **sizes: int
) -> dict[str, np.ndarray]:
    """Float32 weights that make embeddings, activations and logits of order one."""
    rng = np.random.default_rng(seed)
    embeddings = ("W_x", "W_y", "W_E", "W_pos")
    return {
        name: rng.normal(
            scale=1 if name in embeddings else shape[-2] ** -0.5, size=shape
        ).astype(np.float32)
        for name, shape in shapes(architecture, order, **sizes).items()
    }


def in_float64(weights: Weights) -> dict[str, np.ndarray]:
    """The same weights as float64 arrays of NumPy."""
    return {name: np.asarray(value, np.float64) for name, value in weights.items()}


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """−log softmax(logits)[label] of each row: log(1 + the odds against the label)."""
    pairs = np.arange(len(logits))
    above = logits - logits[pairs, labels][:, None]
    above[pairs, labels] = -np.inf
    return np.log1p(np.exp(above).sum(axis=1))
