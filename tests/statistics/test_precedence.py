from functools import partial

import numpy as np
import pytest

from repjax.statistics import precedence as module
from repjax.statistics.intervals import resampled_sums
from repjax.statistics.precedence import precedence, smaller_first

NEVER = np.inf


def test_order_of_three_irreps():
    steps = np.array([[1, 2, NEVER], [2, 1, 1], [5, 5, NEVER], [1, 3, 2]])
    found = precedence(steps)
    np.testing.assert_array_equal(found.before, [[0, 2, 1], [1, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(found.tied, [[4, 1, 0], [1, 4, 1], [0, 1, 2]])
    assert found.shares[0, 1] == pytest.approx(2 / 3)
    assert found.shares[0, 1] + found.shares[1, 0] == 1
    assert np.isnan(found.shares[0, 0])
    assert (found.low[0, 0], found.high[0, 0]) == (0, 1)


def test_intervals_cover_at_their_rate():
    """Exponential times, where i precedes j with λᵢ/(λᵢ + λⱼ); 2,000 repetitions."""
    generator = np.random.default_rng(0)
    rates = np.exp(generator.uniform(-1, 1, size=4))
    truth = rates[:, None] / (rates[:, None] + rates)
    covered = []
    for _ in range(2000):
        found = precedence(generator.exponential(1 / rates, size=(200, 4)))
        inside = (found.low <= truth) & (truth <= found.high)
        covered.append(inside[np.triu_indices(4, 1)].mean())
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_lower_dimensions_first():
    """Dimensions 1, 1, 4 and 9, each at a rate 1/d."""
    sizes = np.array([1, 1, 4, 9])
    steps = np.random.default_rng(0).exponential(sizes, size=(1000, 4))
    truth = np.mean([4 / 5, 4 / 5, 9 / 10, 9 / 10, 9 / 13])
    found = smaller_first(steps, sizes)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.03
    assert found.num == 1000
    backwards = smaller_first(steps, -sizes)
    assert backwards.value == pytest.approx(1 - found.value)
    assert backwards.low == pytest.approx(1 - found.high)


def test_ties_and_irreps_never_learned_say_nothing():
    sizes = np.array([1, 2, 3])
    assert smaller_first(np.array([[5.0, 5.0, NEVER]] * 3), sizes) is None
    assert smaller_first(np.array([[1.0, 2.0, 3.0]] * 3), np.ones(3)) is None
    found = smaller_first(np.array([[1.0, 2.0, NEVER], [NEVER, 3.0, 3.0]]), sizes)
    assert (found.value, found.low, found.high, found.num) == (1, None, None, 1)


def test_interval_of_smaller_first_covers_at_its_rate(monkeypatch):
    """2,000 repetitions of 100 runs, whose pairs are not independent."""
    few = partial(resampled_sums, num_resamples=300)
    monkeypatch.setattr(module, "resampled_sums", few)
    sizes, generator = np.array([1, 2, 5]), np.random.default_rng(0)
    truth = np.mean([2 / 3, 5 / 6, 5 / 7])
    found = [
        smaller_first(generator.exponential(sizes, size=(100, 3)), sizes)
        for _ in range(2000)
    ]
    covered = [of.low <= truth <= of.high for of in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
