"""Weights that are built from irreps, whose every metric is known beforehand.

For a real irrep ρ take hidden units (i, j, k) with A[a] = ρ(a)_ij, B[b] = ρ(b)_jk and
U[c] = ρ(c)_ik. Where units multiply, their sum is tr ρ(ab)ρ(c⁻¹) = χ(abc⁻¹): the
bilinear network is exact. ReLUs multiply x, y = ±1, so that for irreps of dimension 1
the other networks are exact too: |x+y| − |x−y| = 2xy, and |x| = ReLU(x) + ReLU(−x).
"""

from collections.abc import Mapping

import numpy as np

from repjax.groups import Group, Irrep, real_irreps

Units = tuple[np.ndarray, np.ndarray, np.ndarray]
Weights = dict[str, np.ndarray]

RELU_SIGNS = np.array([(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)])
"""Of x, of y and of the unit in |x+y| − |x−y|, as four ReLUs."""


def unit_index(irrep: Irrep) -> Units:
    """i, j and k of the units of one irrep."""
    i, j, k = np.indices((irrep.dim,) * 3).reshape(3, -1)
    return i, j, k


def product_units(group: Group, scales: Mapping[str, float]) -> Units:
    """A, B and U of all units; those of irreps that `scales` does not name are 0.

    Σ_units A[a]·B[b]·U[c] is then Σ_ρ scales[ρ]·χ_ρ(abc⁻¹), of every set of irreps in
    arrays of one shape.
    """
    left, right, above = [], [], []
    for irrep in real_irreps(group)[1:]:
        i, j, k = unit_index(irrep)
        planted = float(irrep.name in scales)
        left.append(planted * irrep.matrices[:, i, j])
        right.append(planted * irrep.matrices[:, j, k])
        above.append(scales.get(irrep.name, 0) * irrep.matrices[:, i, k].T)
    return np.hstack(left), np.hstack(right), np.vstack(above)


def relu_units(units: Units) -> Units:
    """Four ReLUs for each product: (|x+y| − |x−y|)/2, exactly xy where x, y = ±1."""
    left, right, above = units
    return (
        np.hstack([x * left for x, _, _ in RELU_SIGNS]),
        np.hstack([y * right for _, y, _ in RELU_SIGNS]),
        np.vstack([xy * above / 2 for _, _, xy in RELU_SIGNS]),
    )


def one_layer(units: Units) -> Weights:
    """The MLP or bilinear network with these A, B and U: its embeddings are one-hot."""
    left, right, above = units
    one_hot = np.eye(len(left))
    weights = {"W_x": one_hot, "W_y": one_hot, "W": np.vstack([left, right])}
    return {name: np.float32(w) for name, w in (weights | {"W_U": above}).items()}


def transformer(group: Group, scales: Mapping[str, float]) -> Weights:
    """The transformer that is the MLP `one_layer(relu_units(product_units(...)))`.

    Its residual stream has room for the entries of ρ(a), of ρ(b) and of the ρ(ab) that
    logits are made from, and for three positions. Elements embed as their entries.
    """
    irreps = real_irreps(group)[1:]
    sizes = [irrep.dim**2 for irrep in irreps]
    of_a, of_b, of_ab = np.arange(3 * sum(sizes)).reshape(3, -1)
    positions = 3 * sum(sizes) + np.arange(3)
    width = 3 * sum(sizes) + 3

    # Columns of each unit's x, y and product among the entries of its irrep.
    of_unit = []
    for first, irrep in zip(np.cumsum([0, *sizes]), irreps, strict=False):
        i, j, k = unit_index(irrep)
        of_unit.append(first + irrep.dim * np.stack([i, j, i]) + np.stack([j, k, k]))
    x, y, xy = np.tile(np.hstack(of_unit), 4)
    sign_x, sign_y, sign_xy = np.repeat(RELU_SIGNS, x.size // 4, axis=0).T
    unit = np.arange(x.size)
    into, out = np.zeros((width, unit.size)), np.zeros((unit.size, width))
    into[of_a[x], unit] = sign_x
    into[of_b[y], unit] = sign_y
    out[unit, of_ab[xy]] = sign_xy / 2

    entries = [irrep.matrices.reshape(group.order, -1) for irrep in irreps]
    planted = [float(irrep.name in scales) for irrep in irreps]
    embedding, unembedding = np.zeros((2, group.order + 1, width))
    embedding[:-1, of_a] = np.hstack(entries) * np.repeat(planted, sizes)
    scale = [scales.get(irrep.name, 0) for irrep in irreps]
    unembedding[:-1, of_ab] = np.hstack(entries) * np.repeat(scale, sizes)
    weights = {
        "W_E": embedding,
        "W_pos": np.eye(width)[positions],
        **copying_heads(of_a, (of_a, of_b), positions),
        "W_in": into,
        "W_out": out,
        "W_U": unembedding[:-1].T,
    }
    return {name: np.float32(w) for name, w in weights.items()}


def copying_heads(
    read: np.ndarray, written: tuple[np.ndarray, ...], positions: np.ndarray
) -> Weights:
    """Head t reads columns `read` at position t and writes them to `written[t]`."""
    width, d_head = positions[-1] + 1, len(read) + 1
    entry = np.arange(len(read))
    query, key, value = np.zeros((3, len(written), width, d_head))
    mix = np.zeros((len(written), d_head, width))
    # In a direction of its own, each head scores its position 200 above the others:
    # exp(−200) is 0 in float32.
    query[:, positions[-1], -1] = 200 * d_head**0.5
    value[:, read, entry] = 1
    for head, columns in enumerate(written):
        key[head, positions[head], -1] = 1
        mix[head, entry, columns] = 1
    return {"W_Q": query, "W_K": key, "W_V": value, "W_O": mix}


def character_loss(group: Group, scales: Mapping[str, float]) -> float:
    """Cross-entropy of the logits Σ_ρ scales[ρ]·χ_ρ(abc⁻¹), the same for every pair."""
    logits = np.zeros(group.order)
    for irrep in real_irreps(group):
        logits += scales.get(irrep.name, 0) * irrep.character
    above = np.delete(logits - logits[group.identity], group.identity)
    return float(np.log1p(np.exp(above).sum()))
