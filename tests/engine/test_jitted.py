from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.engine.jitted import Jitted


def counting():
    """A jitted function, and the list of its traces."""
    traces = []

    def twice(x):
        traces.append(x)
        return 2 * x

    return Jitted(jax.jit(twice)), traces


def test_without_a_start_it_is_the_function():
    double, traces = counting()
    for number in (1, 2):
        found = double(jnp.full(3, number, jnp.float32))
        np.testing.assert_array_equal(found, 2 * number)
    assert len(traces) == double.function._cache_size() == 1


def test_is_compiled_in_a_thread_once_and_never_again_when_called():
    double, traces = counting()
    with ThreadPoolExecutor() as threads:
        for _ in range(2):
            begun = double._compiled
            double.start(threads, jax.ShapeDtypeStruct((3,), jnp.float32))
        assert double._compiled is begun
    for number in (1, 2):
        found = double(jnp.full(3, number, jnp.float32))
        np.testing.assert_array_equal(found, 2 * number)
    assert len(traces) == 1 and double.function._cache_size() == 0


def test_what_compilation_raises_reaches_the_caller():
    def refuse(x):
        raise ValueError("no such network")

    refused = Jitted(jax.jit(refuse))
    with ThreadPoolExecutor() as threads:
        refused.start(threads, 1.0)
    with pytest.raises(ValueError, match="no such network"):
        refused(1.0)
