"""Rows of a table, and the sum that is their gradient, as CPUs and GPUs compute it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.models.lookup import PIECE, list_pairs, lookup, sum_by_index
from tests.compilation import quick_jit

SIZE, PAIRS, WIDTH = 7, 40, 3


@pytest.fixture(params=["cpu", "default"])
def branch(request, monkeypatch) -> str:
    """Takes one branch of `platform_dependent`, wherever this runs."""

    def take(*arguments, **branches):
        return branches[request.param](*arguments)

    monkeypatch.setattr(jax.lax, "platform_dependent", take)
    return request.param


@pytest.fixture(scope="module")
def example():
    """A table, indices that miss the last row, and a cotangent."""
    rng = np.random.default_rng(0)
    return (
        jnp.array(rng.normal(size=(SIZE, WIDTH)), jnp.float32),
        jnp.array(rng.integers(SIZE - 1, size=PAIRS), jnp.int32),
        jnp.array(rng.normal(size=(PAIRS, WIDTH)), jnp.float32),
    )


def test_lookup_gives_rows(example):
    table, index, _ = example
    expected = [np.asarray(table)[i] for i in np.asarray(index)]
    np.testing.assert_array_equal(lookup(table, index), expected)


def test_sum_by_index_adds_the_rows_of_each_index(example, branch):
    _, index, values = example
    sums = quick_jit(lambda values, index: sum_by_index(values, index, SIZE))
    expected = np.zeros((SIZE, WIDTH))
    for i, row in zip(np.asarray(index), np.asarray(values, np.float64), strict=True):
        expected[i] += row
    np.testing.assert_allclose(sums(values, index), expected, atol=2e-6)


def test_gradient_is_that_of_indexing(example, branch):
    table, index, cotangent = example

    def gradient(rows):
        return quick_jit(jax.grad(lambda table: jnp.sum(cotangent * rows(table) ** 2)))

    actual = gradient(lambda table: lookup(table, index))(table)
    expected = gradient(lambda table: table[index])(table)
    np.testing.assert_allclose(actual, expected, atol=2e-6)
    np.testing.assert_array_equal(actual[-1], 0)


@pytest.fixture(scope="module")
def many():
    """Elements of which one has a piece exactly, one two and a rest, one no pair."""
    size = 3 * PIECE
    element = np.repeat([0, 2, 5, size - 1], [PIECE, 2 * PIECE + 3, 1, 3])
    element = np.random.default_rng(1).permutation(element)
    return size, element, np.arange(element.size) % 7 > 0


def test_pairs_are_listed_by_element_in_their_order(many):
    size, element, counts = many
    listed = list_pairs(jnp.asarray(element), size, jnp.asarray(counts))
    pieces = np.vstack([listed.pieces, np.full((1, PIECE), element.size)])
    for i, rows in enumerate(np.asarray(listed.pieces_of)):
        found = pieces[rows].ravel()
        expected = np.flatnonzero((element == i) & counts)
        np.testing.assert_array_equal(found[found < element.size], expected)


def test_gradient_by_lists_is_that_of_indexing(many):
    """Less the pairs that do not count, which weigh nothing."""
    size, element, counts = many
    rng = np.random.default_rng(2)
    table = jnp.asarray(rng.normal(size=(size, WIDTH)), jnp.float32)
    cotangent = rng.normal(size=(element.size, WIDTH)) * counts[:, None]
    cotangent = jnp.asarray(cotangent, jnp.float32)

    def gradient(rows):
        return quick_jit(jax.grad(lambda table: jnp.sum(cotangent * rows(table) ** 2)))

    listed = list_pairs(jnp.asarray(element), size, jnp.asarray(counts))
    actual = gradient(lambda table: lookup(table, listed))(table)
    expected = gradient(lambda table: table[element])(table)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-5)
    assert np.count_nonzero(np.asarray(actual).any(axis=1)) == 4


@pytest.mark.parametrize(("platform", "scatters"), [("cpu", True), ("cuda", False)])
def test_gradient_scatters_on_cpu_alone(example, platform, scatters):
    """A GPU's scatter-add is atomic: its bits differ from call to call."""
    table, index, cotangent = example

    def loss(table, index, cotangent):
        return jnp.sum(cotangent * lookup(table, index))

    program = jax.jit(jax.grad(loss)).trace(table, index, cotangent)
    lowered = program.lower(lowering_platforms=(platform,))
    assert ("stablehlo.scatter" in lowered.as_text()) == scatters
