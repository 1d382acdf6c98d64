"""Two passes over pairs in blocks: what is kept are n × n tables, a few per irrep.

The first pass visits all pairs and reduces activations and logits to n × n tables; the
second visits the training pairs and subtracts irreps from their logits.
"""

import jax
import jax.numpy as jnp
from flax import struct

from repjax.losses import correct, cross_entropy
from repjax.models import Model
from repjax.models.lookup import sum_by_index
from repjax.typing import Array, Bool, Float, Int, Params, Scalar

_BLOCK_ELEMENTS = 2**21
"""Floats in the largest array of a block: 8 MB, near the cache of a CPU core."""


class PairSums(struct.PyTreeNode):
    """What the first pass keeps of h[a, b] and L[a, b].

    Attributes:
        loss: cross-entropy of every pair.
        correct: whether its label has the largest logit.
        hidden_a: mean of h over b.
        hidden_b: mean of h over a.
        hidden_ab: mean of h over the pairs of each label, over all pairs for a label
            that no pair has (`a*b*a^-1*b^-1` reaches commutators only).
        hidden_power: Σ‖h~‖², h~ being h minus its mean over all pairs.
        logits_ab: sum of L over the pairs of each label.
        logits_power: Σ‖L~‖², L~ being L minus its mean over c.
        count: number of pairs of each label.
    """

    loss: Float[Array, "group group"]
    correct: Bool[Array, "group group"]
    hidden_a: Float[Array, "group hidden"]
    hidden_b: Float[Array, "group hidden"]
    hidden_ab: Float[Array, "group hidden"]
    hidden_power: Scalar
    logits_ab: Float[Array, "group vocab"]
    logits_power: Scalar
    count: Float[Array, " group"]


def sum_over_pairs(
    model: Model, params: Params, labels: Int[Array, "group group"]
) -> PairSums:
    """First pass: all pairs, a few rows a of the multiplication table at a time."""
    order = model.order
    everyone = jnp.arange(order)
    unembedding = model.apply(params, method="unembedding")
    rows = _rows_per_block(order, unembedding.shape[0])
    starts = jnp.arange(0, order, rows)

    def visit(carry, start):
        # The last block is moved back to fit; rows seen before get weight 0.
        first = jnp.minimum(start, order - rows)
        row = first + jnp.arange(rows)
        weight = (row >= start).astype(jnp.float32)
        left, right = jnp.repeat(row, order), jnp.tile(everyone, rows)
        label = labels[left, right]
        hidden = model.apply(params, left, right, method="hidden")
        logits = model.apply(params, left, right)
        loss, is_correct = cross_entropy(logits, label), correct(logits, label)

        pair_weight = jnp.repeat(weight, order)[:, None]
        centred = logits - jnp.mean(logits, axis=1, keepdims=True)
        hidden_b, hidden_ab, hidden_power, logits_ab, logits_power, *tables = carry
        weighted = pair_weight * hidden
        by_row = hidden.reshape(rows, order, -1)
        updates = (
            loss.reshape(rows, order),
            is_correct.reshape(rows, order),
            jnp.mean(by_row, axis=1),
        )
        carry = (
            hidden_b + jnp.einsum("r,rbh->bh", weight, by_row),
            hidden_ab + sum_by_index(weighted, label, order),
            hidden_power + jnp.sum(weighted * hidden),
            logits_ab + sum_by_index(pair_weight * logits, label, order),
            logits_power + jnp.sum(pair_weight * centred**2),
            *(
                jax.lax.dynamic_update_slice_in_dim(table, update, first, 0)
                for table, update in zip(tables, updates, strict=True)
            ),
        )
        return carry, None

    width = unembedding.shape[0]
    start = (
        jnp.zeros((order, width)),
        jnp.zeros((order, width)),
        jnp.zeros(()),
        jnp.zeros((order, order)),
        jnp.zeros(()),
        jnp.zeros((order, order)),
        jnp.zeros((order, order), bool),
        jnp.zeros((order, width)),
    )
    sums, _ = jax.lax.scan(visit, start, starts)
    hidden_b, hidden_ab, power, logits_ab, logits_power, loss, right_ones, hidden_a = (
        sums
    )
    count = jnp.zeros(order).at[labels.reshape(-1)].add(1.0)
    mean = jnp.mean(hidden_a, axis=0)
    return PairSums(
        loss=loss,
        correct=right_ones,
        hidden_a=hidden_a,
        hidden_b=hidden_b / order,
        hidden_ab=jnp.where(
            count[:, None] > 0, hidden_ab / jnp.maximum(count, 1.0)[:, None], mean[None]
        ),
        hidden_power=power - order**2 * jnp.sum(mean**2),
        logits_ab=logits_ab,
        logits_power=logits_power,
        count=count,
    )


def excluded_losses(
    model: Model,
    params: Params,
    train_pairs: Int[Array, " train"],
    labels: Int[Array, "group group"],
    removed: Float[Array, "part group vocab"],
) -> Float[Array, " part"]:
    """Second pass: mean loss over training pairs of (h[a, b] − part[ab]) · U.

    Args:
        model: the network.
        params: its weights.
        train_pairs: pairs to average over.
        labels: label of every pair.
        removed: part · U for each label, one table for each part to remove.
    """
    order, num_train = model.order, train_pairs.shape[0]
    unembedding = model.apply(params, method="unembedding")
    size = min(num_train, order * _rows_per_block(order, unembedding.shape[0]))
    starts = jnp.arange(0, num_train, size)

    def visit(totals, start):
        first = jnp.minimum(start, num_train - size)
        position = first + jnp.arange(size)
        weight = (position >= start).astype(jnp.float32)
        left, right = jnp.divmod(train_pairs[position], order)
        label = labels[left, right]
        logits = model.apply(params, left, right, method="hidden") @ unembedding

        def loss_without(part):
            return jnp.sum(weight * cross_entropy(logits - part[label], label))

        return totals + jax.lax.map(loss_without, removed), None

    totals, _ = jax.lax.scan(visit, jnp.zeros(removed.shape[0]), starts)
    return totals / num_train


def _rows_per_block(order: int, width: int) -> int:
    return min(order, max(1, _BLOCK_ELEMENTS // (order * max(order, width))))
