"""Look-ups of table rows for pairs of elements, and their gradients.

The gradients give the same bits every time.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from repjax.typing import Array, Float, Int

Tables = dict[str, Array]
"""All that the pairs of one network need: tables over elements, weights as read."""


class Listed(NamedTuple):
    """One element of each pair, and for each element a list of its pairs.

    Attributes:
        element: that of each pair.
        places: positions of each element's pairs, as `places_of` gives them.
    """

    element: Int[Array, " pair"]
    places: Int[Array, "size longest"]


def places_of(
    element: Int[Array, " pair"], size: int, longest: int
) -> Int[Array, "size longest"]:
    """Return in row i the positions at which `element` is i, in increasing order.

    What follows them in a row is the number of pairs, which is no position.

    Args:
        element: of each pair; pairs of `size` and more are in no row.
        size: number of rows.
        longest: length of a row. What is beyond is lost, so that the caller has to
            know how often an element occurs at most.
    """
    by_element = jnp.argsort(element, stable=True)
    first = jnp.searchsorted(element[by_element], jnp.arange(size + 1))
    position = first[:-1, None] + jnp.arange(longest)
    here = jnp.take(by_element, position, mode="clip")
    return jnp.where(position < first[1:, None], here, element.size)


def sum_by_index(
    values: Float[Array, "pair hidden"], index: Int[Array, " pair"], size: int
) -> Float[Array, "size hidden"]:
    """Row i of the result is the sum of `values` where `index` is i.

    On a CPU a scatter-add in order of the pairs, nearly free. On accelerators a
    scatter-add is atomic, so its rounding changes from call to call; there the sum is
    a product with a one-hot matrix, in the precision of all products: reproducible, and
    about as many operations as the logits.
    """

    def scatter(values, index):
        return jnp.zeros((size, values.shape[1]), values.dtype).at[index].add(values)

    def product(values, index):
        one_hot = jax.nn.one_hot(index, size, dtype=values.dtype)
        return one_hot.T @ values

    return jax.lax.platform_dependent(values, index, cpu=scatter, default=product)


def lookup(
    table: Float[Array, "group hidden"], of: Int[Array, " pair"] | Listed
) -> Float[Array, "pair hidden"]:
    """Return the row of each pair's element.

    The gradient in the table is the sum of each element's rows: by `sum_by_index`, or
    where its pairs are listed, gathered by that list. On an H200 a step of the S6 MLP
    then takes 0.64 of the time, one of S5 0.82.
    """
    if isinstance(of, Listed):
        return _lookup_listed(table, of)
    return _lookup(table, of)


@jax.custom_vjp
def _lookup(table, index):
    return table[index]


def _forward(table, index):
    return table[index], (index, table.shape[0])


def _backward(residuals, gradient):
    index, size = residuals
    return sum_by_index(gradient, index, size), None


_lookup.defvjp(_forward, _backward)


@jax.custom_vjp
def _lookup_listed(table, of):
    return table[of.element]


def _forward_listed(table, of):
    return table[of.element], of.places


def _backward_listed(places, gradient):
    rows = jnp.take(gradient, places, axis=0, mode="fill", fill_value=0)
    return jnp.sum(rows, axis=1), None


_lookup_listed.defvjp(_forward_listed, _backward_listed)


def columns(
    transposed: Float[Array, "vocab hidden"], rows: Float[Array, "pair hidden"]
) -> Float[Array, "vocab pair"]:
    """`rows @ transposed.T`, transposed: a column for each pair.

    A reduction over classes then runs over whole vectors of pairs, and this product and
    the two of its gradient read both factors as they lie in memory. On a CPU, for S5,
    all three reach 150 to 170 of 180 GFLOP/s; with a row for each pair, 90 to 130.
    """
    return jax.lax.dot_general(transposed, rows, (((1,), (1,)), ((), ())))
