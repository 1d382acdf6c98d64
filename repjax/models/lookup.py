"""Look-ups of table rows for pairs of elements, and their gradients.

The gradients are reproducible bit for bit.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from repjax.typing import Array, Bool, Float, Int

Tables = dict[str, Array]
"""Data that a network applies to pairs: tables over elements, and weights."""

PIECE = 32
"""Pairs of one element whose gradients are summed first, before the pieces are.

With the 180 training pairs of an element of S6, 9 % of the places are empty. The
largest number of pieces depends on the numbers of pairs and elements alone, so no list
is ever too short.
"""


class Listed(NamedTuple):
    """Elements of the pairs, with lists of the pairs of each element.

    Attributes:
        element: element of each pair.
        pieces: positions of pairs, in each row those of one element; the number of
            pairs as padding.
        pieces_of: rows of `pieces` of each element; their number as padding.
    """

    element: Int[Array, " pair"]
    pieces: Int[Array, "piece place"]
    pieces_of: Int[Array, "size most"]


Elements = Int[Array, " pair"] | Listed
"""The left or the right elements of some pairs."""


def list_pairs(
    element: Int[Array, " pair"], size: int, counts: Bool[Array, " pair"]
) -> Listed:
    """List the pairs of each element, in order of position.

    Args:
        element: element of each pair, below `size`.
        size: number of elements; none may have more pairs.
        counts: whether a pair is listed; padding is not.
    """
    sorted_by = jnp.where(counts, element, size)
    by_element = jnp.argsort(sorted_by, stable=True)
    edges = jnp.searchsorted(sorted_by[by_element], jnp.arange(size + 1))
    begin, end = edges[:-1], edges[1:]
    num_pieces = -(-(end - begin) // PIECE)
    first_piece = jnp.cumsum(num_pieces) - num_pieces
    most = element.size // PIECE + size  # however the pairs are distributed

    piece = jnp.arange(most)
    owner = jnp.searchsorted(first_piece, piece, side="right") - 1
    start = begin[owner] + PIECE * (piece - first_piece[owner])
    place = start[:, None] + jnp.arange(PIECE)[None]
    position = jnp.take(by_element, place, mode="clip")
    pieces = jnp.where(place < end[owner][:, None], position, element.size)

    number = jnp.arange(-(-size // PIECE))[None]
    mine = first_piece[:, None] + number
    pieces_of = jnp.where(number < num_pieces[:, None], mine, most)
    return Listed(element, pieces, pieces_of)


def sum_by_index(
    values: Float[Array, "pair hidden"], index: Int[Array, " pair"], size: int
) -> Float[Array, "size hidden"]:
    """Sum `values` by `index`: row i of the result is the sum where `index` is i.

    On a CPU this is a scatter-add in order of the pairs, nearly free. On accelerators a
    scatter-add is atomic, so its rounding changes from call to call; there the sum is a
    product with a one-hot matrix, in the precision of all products. It is reproducible,
    and takes about as many operations as the logits. For large groups it is slower than
    `sum_by_list`.
    """

    def scatter(values, index):
        return jnp.zeros((size, values.shape[1]), values.dtype).at[index].add(values)

    def product(values, index):
        one_hot = jax.nn.one_hot(index, size, dtype=values.dtype)
        return one_hot.T @ values

    return jax.lax.platform_dependent(values, index, cpu=scatter, default=product)


def sum_by_list(
    values: Float[Array, "pair hidden"], listed: Listed
) -> Float[Array, "size hidden"]:
    """Sum `values` by element, in a fixed order: gather each piece, then the pieces."""

    def gathered(rows, index):
        return jnp.sum(jnp.take(rows, index, axis=0, mode="fill", fill_value=0), axis=1)

    return gathered(gathered(values, listed.pieces), listed.pieces_of)


@jax.custom_vjp
def lookup(
    table: Float[Array, "group hidden"], elements: Elements
) -> Float[Array, "pair hidden"]:
    """Return the row of each pair's element.

    Its gradient is computed by `sum_by_list` where pairs are listed, else by
    `sum_by_index`.
    """
    return table[_index(elements)]


def _index(elements: Elements) -> Int[Array, " pair"]:
    return elements.element if isinstance(elements, Listed) else elements


def _forward(table, elements):
    return table[_index(elements)], (elements, table.shape[0])


def _backward(residuals, gradient):
    elements, size = residuals
    if isinstance(elements, Listed):
        return sum_by_list(gradient, elements), None
    return sum_by_index(gradient, elements, size), None


lookup.defvjp(_forward, _backward)


def columns(
    transposed: Float[Array, "vocab hidden"], rows: Float[Array, "pair hidden"]
) -> Float[Array, "vocab pair"]:
    """Return `(rows @ transposed.T).T`: a column for each pair.

    Reductions over classes then work on whole vectors of pairs, and this product and
    the two of its gradient read both factors in memory order. On a CPU, for S5, all
    three reach 150 to 170 of 180 GFLOP/s; with a row for each pair, 90 to 130.
    """
    return jax.lax.dot_general(transposed, rows, (((1,), (1,)), ((), ())))
