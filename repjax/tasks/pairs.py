"""Labels of all pairs of elements, and the random split into training and test.

The networks see pairs (a, b) of group elements and predict the value of a word in
them, `a*b` in the paper. Pair (a, b) has index a·n + b.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np

from repjax.groups import Group
from repjax.typing import Array, Bool, Int, Key

_FACTOR = re.compile(r"[ab](\^-1)?")


def labels(group: Group, task: str = "a*b") -> Int[np.ndarray, "group group"]:
    """Return the table of the word `task`: entry [a, b] is the label of pair (a, b).

    Args:
        group: any finite group.
        task: factors `a`, `b`, `a^-1`, `b^-1` joined by `*`, multiplied from the left.

    Raises:
        ValueError: `task` is not such a word.
    """
    factors = task.replace(" ", "").split("*")
    if not all(_FACTOR.fullmatch(factor) for factor in factors):
        raise ValueError(
            f"task: '{task}' is not a word in a, b, a^-1, b^-1 such as a*b"
        )
    left, right = np.meshgrid(
        np.arange(group.order), np.arange(group.order), indexing="ij"
    )
    word = np.full_like(left, group.identity)
    for factor in factors:
        element = left if factor.startswith("a") else right
        word = group.table[word, group.inverse[element] if "^" in factor else element]
    return word.astype(np.int32)


def num_train_pairs(order: int, train_fraction: float) -> int:
    """Return the number of training pairs, rounded down as in the paper's code."""
    return int(train_fraction * order * order)


def split(
    key: Key[Array, ""],
    order: int,
    num_pairs: int | Int[Array, ""],
    capacity: int | None = None,
) -> Int[Array, " train"]:
    """Draw the training pairs of one run, in increasing order of pair index.

    The order does not matter for full-batch training; increasing indices read the
    embedding tables nearly in sequence.

    Args:
        key: random key, for the split only.
        order: order of the group.
        num_pairs: pairs to draw; a number or, with `capacity`, an array.
        capacity: length of the result, by default `num_pairs`. Entries after the pairs
            are padding, n².
    """
    everything = order * order
    permutation = jax.random.permutation(key, everything)
    drawn = jnp.where(jnp.arange(everything) < num_pairs, permutation, everything)
    length = num_pairs if capacity is None else capacity
    return jnp.sort(drawn)[:length].astype(jnp.int32)


def is_train(
    train_pairs: Int[Array, " train"], order: int
) -> Bool[Array, "group group"]:
    """Return a mask over all pairs, True for training pairs; padding is ignored."""
    mask = jnp.zeros(order * order, bool).at[train_pairs].set(True, mode="drop")
    return mask.reshape(order, order)
