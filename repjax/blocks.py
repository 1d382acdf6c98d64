"""Sums over the training pairs of one run, a block of them at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from repjax.typing import Array, Int


class Blocks(NamedTuple):
    """How a step goes through its pairs.

    Attributes:
        size: pairs whose activations may exist together; None for all.
        segments: parts of the pairs that are added up apart, and in the same order
            wherever each was computed.
        axis: the mesh axis whose devices share the segments; None if one has them all.
        devices: how many devices that are; they divide `segments`.
    """

    size: int | None = None
    segments: int = 1
    axis: str | None = None
    devices: int = 1


ALL_AT_ONCE = Blocks()


def sum_over_blocks(
    function: Callable[[Array], Any], pairs: Int[Array, " train"], blocks: Blocks
) -> Any:
    """`function(pairs)`, which is a sum over pairs, from blocks and a rest."""
    size = blocks.size
    if size is None or pairs.size <= size:
        return function(pairs)
    num_blocks = pairs.size // size
    whole, rest = jnp.split(pairs, [num_blocks * size])
    whole = whole.reshape(num_blocks, size)
    shapes = jax.eval_shape(function, whole[0])
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    start = function(rest) if rest.size else zeros

    def add(block, total):
        return jax.tree.map(jnp.add, total, function(whole[block]))

    if blocks.segments == 1:
        return jax.lax.fori_loop(0, num_blocks, add, start)

    def sum_of_segment(segment):
        first, last = ((segment + i) * num_blocks // blocks.segments for i in (0, 1))
        return jax.lax.fori_loop(first, last, add, zeros)

    mine = jnp.arange(blocks.segments // blocks.devices)
    if blocks.axis is not None:
        mine += jax.lax.axis_index(blocks.axis) * mine.size
    sums = jax.lax.map(sum_of_segment, mine)
    if blocks.axis is not None:
        sums = jax.lax.all_gather(sums, blocks.axis, tiled=True)
    return jax.tree.map(lambda first, each: first + jnp.sum(each, 0), start, sums)
