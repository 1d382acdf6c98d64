"""Sum over the training pairs of one run, a block of them at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from repjax.typing import Array, Float, Int


class TrainPairs(NamedTuple):
    """Training pairs of one run, as a step reads them; some may be padding.

    Attributes:
        pair: index a·n + b.
        labels: class of each pair.
        weights: share of each pair in the mean loss; 0 for padding.
    """

    pair: Int[Array, " train"]
    labels: Int[Array, " train"]
    weights: Float[Array, " train"]


class Blocks(NamedTuple):
    """Division of a step's pairs into blocks.

    Attributes:
        size: number of pairs whose activations may exist at once; None for all.
        skip_empty: whether to skip blocks of padding and make all others of `size`, so
            that the sum does not depend on the padding. Batched runs go through as many
            blocks as the one with the most pairs, and each keeps the sum of its own.
        segments: parts of the pairs that are summed separately; the sums are added in
            the same order wherever they were computed.
        axis: mesh axis whose devices share the segments; None for a single device.
        devices: number of devices on that axis; divides `segments`.
        listed: whether the pairs of each element are listed, for the gradient of
            look-ups. Only if all pairs are one block, since lists hold positions.
    """

    size: int | None = None
    skip_empty: bool = False
    segments: int = 1
    axis: str | None = None
    devices: int = 1
    listed: bool = False


ALL_AT_ONCE = Blocks()


def sum_over_blocks(
    function: Callable[[TrainPairs], Any],
    pairs: TrainPairs,
    num_pairs: Int[Array, ""],
    blocks: Blocks,
) -> Any:
    """Compute `function(pairs)`, a sum over pairs, block by block.

    Args:
        function: returns the sum over some of the pairs.
        pairs: all pairs, padding last.
        num_pairs: number of pairs that are not padding.
        blocks: division into blocks.
    """
    capacity, size = pairs.pair.size, blocks.size
    assert not blocks.listed or size is None or capacity <= size
    if size is None or (capacity <= size and not blocks.skip_empty):
        return function(pairs)
    most = -(-capacity // size)
    if blocks.skip_empty:
        # To XLA a single block is not a loop, and it then rounds differently.
        most = max(2, most)
    else:
        size = -(-capacity // most)  # nearly equal blocks need little padding
    whole = [_pad(x, most * size).reshape(most, size) for x in pairs]
    num_blocks = -(-num_pairs // size) if blocks.skip_empty else most

    def of_block(block):
        return function(TrainPairs(*(x[block] for x in whole)))

    shapes = jax.eval_shape(lambda: of_block(0))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(block, total):
        return jax.tree.map(jnp.add, total, of_block(block))

    if blocks.segments == 1:
        return jax.lax.fori_loop(0, num_blocks, add, zeros)

    def sum_of_segment(segment):
        first, last = ((segment + i) * num_blocks // blocks.segments for i in (0, 1))
        return jax.lax.fori_loop(first, last, add, zeros)

    mine = jnp.arange(blocks.segments // blocks.devices)
    if blocks.axis is not None:
        mine += jax.lax.axis_index(blocks.axis) * mine.size
    sums = jax.lax.map(sum_of_segment, mine)
    if blocks.axis is not None:
        sums = jax.lax.all_gather(sums, blocks.axis, tiled=True)
    return jax.tree.map(lambda each: jnp.sum(each, 0), sums)


def _pad(values: Array, length: int) -> Array:
    """Pad with zeros to `length`: pair 0 with weight 0."""
    return jnp.pad(values, (0, length - values.size))
