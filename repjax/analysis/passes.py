"""Two passes over all pairs in blocks, which reduce logits to n × n tables.

The first pass sums activations and logits over all pairs into n × n tables. The second
visits some pairs again and removes irreps from their logits, a few at a time.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from repjax.analysis.basis import Basis
from repjax.analysis.memory import rows_at_once
from repjax.models import Model
from repjax.models.lookup import Tables, sum_by_index
from repjax.training.losses import correct, cross_entropy
from repjax.typing import Array, Bool, Float, Int, Params, Scalar


class PairSums(struct.PyTreeNode):
    """Sums over pairs of h[a, b] and L[a, b], from the first pass.

    Attributes:
        loss: cross-entropy of every pair.
        correct: whether its label has the largest logit.
        hidden_a: mean of h over b.
        hidden_b: mean of h over a.
        hidden_ab: mean of h over the pairs of each label; for a label without pairs
            (`a*b*a^-1*b^-1` reaches commutators only) the mean over all pairs.
        hidden_mean: mean of h over all pairs.
        hidden_power: Σ h~² of each neuron, h~ being h minus its mean over all pairs.
        logits_ab: sum of L over the pairs of each label.
        logits_power: Σ‖L~‖², L~ being L minus its mean over c.
        count: number of pairs of each label.
        label_logit: logit of the label of every pair.
        equivariant: sum of L~[a, b, a·t·b] over all pairs, for each t.
    """

    loss: Float[Array, "group group"]
    correct: Bool[Array, "group group"]
    hidden_a: Float[Array, "group hidden"]
    hidden_b: Float[Array, "group hidden"]
    hidden_ab: Float[Array, "group hidden"]
    hidden_mean: Float[Array, "1 hidden"]
    hidden_power: Float[Array, " hidden"]
    logits_ab: Float[Array, "group vocab"]
    logits_power: Scalar
    count: Float[Array, " group"]
    label_logit: Float[Array, "group group"]
    equivariant: Float[Array, " group"]


def sum_over_pairs(model: Model, params: Params, basis: Basis) -> PairSums:
    """First pass: all pairs, a few rows a of the multiplication table at a time."""
    order = model.order
    network = model.apply(params, method="tables")
    num_neurons = model.apply(params, method="unembedding").shape[0]
    rows = rows_at_once(order, num_neurons, _on_cpu())
    starts = np.arange(0, order, rows)
    # The last block is moved back to fit; in it, rows seen before have weight 0.
    firsts = np.minimum(starts, order - rows)
    row = firsts[:, None] + np.arange(rows)
    weight = jnp.asarray(row >= starts[:, None], jnp.float32)

    def visit(totals, block):
        tables, sums = _reduce_rows(model, network, basis, *block)
        return jax.tree.map(jnp.add, totals, sums), tables

    blocks = (jnp.asarray(row), weight)
    one_block = jax.tree.map(lambda x: x[0], blocks)
    _, sums = jax.eval_shape(lambda: _reduce_rows(model, network, basis, *one_block))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), sums)
    totals, tables = jax.lax.scan(visit, zeros, blocks)

    block_of_row = np.arange(order) // rows
    kept = (block_of_row, np.arange(order) - firsts[block_of_row])
    loss, is_correct, hidden_a, label_logit = (table[kept] for table in tables)
    mean = jnp.mean(hidden_a, axis=0, keepdims=True)
    count = jnp.zeros(order).at[basis.labels.reshape(-1)].add(1.0)
    hidden_ab = totals["hidden_ab"] / jnp.maximum(count, 1.0)[:, None]
    return PairSums(
        loss=loss,
        correct=is_correct,
        hidden_a=hidden_a,
        hidden_b=totals["hidden_b"] / order,
        hidden_ab=jnp.where(count[:, None] > 0, hidden_ab, mean),
        hidden_mean=mean,
        hidden_power=totals["hidden_power"] - order**2 * mean[0] ** 2,
        logits_ab=totals["logits_ab"],
        logits_power=totals["logits_power"],
        count=count,
        label_logit=label_logit,
        equivariant=totals["equivariant"],
    )


def _reduce_rows(
    model: Model,
    network: Tables,
    basis: Basis,
    row: Int[Array, " row"],
    weight: Float[Array, " row"],
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Return tables with a line for each of these rows a, and sums over their pairs."""
    order, rows = model.order, row.shape[0]
    left, right = jnp.repeat(row, order), jnp.tile(jnp.arange(order), rows)
    label = basis.labels[left, right]
    hidden = model.hidden(network, left, right)
    logits = model.logits(network, left, right).T
    centred = logits - jnp.mean(logits, axis=1, keepdims=True)

    by_row = hidden.reshape(rows, order, -1)
    tables = (
        cross_entropy(logits, label).reshape(rows, order),
        correct(logits, label).reshape(rows, order),
        jnp.mean(by_row, axis=1),
        jnp.take_along_axis(logits, label[:, None], axis=1).reshape(rows, order),
    )
    # Element a·t·b for every t and b; its logit of the pair (a, b).
    between = jnp.swapaxes(basis.product[basis.product[row]], 1, 2)
    moved = jnp.take_along_axis(centred.reshape(rows, order, order), between, axis=2)
    pair_weight = jnp.repeat(weight, order)[:, None]
    weighted = pair_weight * hidden
    sums = {
        "hidden_b": jnp.einsum("r,rbh->bh", weight, by_row),
        "hidden_ab": sum_by_index(weighted, label, order),
        "hidden_power": jnp.sum(weighted * hidden, axis=0),
        "logits_ab": sum_by_index(pair_weight * logits, label, order),
        "logits_power": jnp.sum(pair_weight * centred**2),
        "equivariant": jnp.einsum("r,rbt->t", weight, moved),
    }
    return tables, sums


def losses_without(
    model: Model,
    params: Params,
    pairs: Int[Array, " pair"],
    labels: Int[Array, "group group"],
    removed: Mapping[str, Float[Array, "part group vocab"]],
    residual: bool,
) -> dict[str, Float[Array, " part"]]:
    """Second pass: mean loss over `pairs` of the logits less one part at a time.

    Args:
        model: the network.
        params: its weights.
        pairs: pairs to average over, a·n + b; n² for padding.
        labels: label of every pair.
        removed: parts of the logits as functions of a ("a"), of b ("b") or of the
            label ("ab"), one table for each part.
        residual: whether to keep the part of the logits that bypasses the hidden layer.
    """
    order, capacity = model.order, pairs.shape[0]
    is_pair = pairs < order**2
    network = model.apply(params, method="tables")
    unembedding = model.apply(params, method="unembedding")
    rows = rows_at_once(order, unembedding.shape[0], _on_cpu())
    # Blocks have full size even if few pairs fill them: no sum depends on capacity.
    size = order * rows
    starts = jnp.arange(0, capacity, size)

    def logits_of(left, right):
        if residual:
            return model.logits(network, left, right).T
        return model.hidden(network, left, right) @ unembedding

    def visit(totals, start):
        position = start + jnp.arange(size)
        inside = jnp.minimum(position, capacity - 1)
        is_here = (position < capacity) & is_pair[inside]
        weight = is_here.astype(jnp.float32)
        left, right = jnp.divmod(jnp.where(is_here, pairs[inside], 0), order)
        label = labels[left, right]
        logits = logits_of(left, right)

        def losses(parts, argument):
            def loss_without(part):
                rest = logits - part[argument]
                return jnp.sum(weight * cross_entropy(rest, label))

            return jax.lax.map(loss_without, parts)

        arguments = {"a": left, "b": right, "ab": label}
        return {
            of: totals[of] + losses(parts, arguments[of])
            for of, parts in removed.items()
        }, None

    zeros = {of: jnp.zeros(parts.shape[0]) for of, parts in removed.items()}
    totals, _ = jax.lax.scan(visit, zeros, starts)
    return {of: total / jnp.sum(is_pair) for of, total in totals.items()}


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"
