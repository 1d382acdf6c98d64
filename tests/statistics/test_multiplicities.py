"""Planted numbers of neurons."""

import numpy as np
import pytest

from repjax.statistics import multiplicities
from repjax.statistics.multiplicities import allocations, exponent, proportion

DIMS = np.array([1, 1, 3, 4, 4, 5])


def planted(power, num_runs=60, seed=0, scatter=0.3):
    """Key sets, and numbers with mean 3·d^power and log-normal scatter."""
    generator = np.random.default_rng(seed)
    is_key = generator.random((num_runs, len(DIMS))) < 0.6
    noise = generator.normal(-(scatter**2) / 2, scatter, is_key.shape)
    return 3.0 * DIMS**power * np.exp(noise) * is_key, is_key


@pytest.mark.parametrize("power", [2, 3])
def test_planted_exponents_are_recovered(power):
    neurons, is_key = planted(power, num_runs=1000)
    for within_runs in (True, False):
        found = exponent(neurons, is_key, DIMS, within_runs)
        assert found.low < power < found.high
        assert found.high - found.low < 0.05
    assert exponent(neurons, is_key, DIMS**2).value * 2 == pytest.approx(
        exponent(neurons, is_key, DIMS).value
    )
    fit = proportion(neurons, is_key, DIMS**power)
    assert fit.slope.low < 3 < fit.slope.high
    assert (
        fit.explained.value
        > proportion(neurons, is_key, DIMS ** (5 - power)).explained.value
    )


def test_intervals_cover_at_their_rate(monkeypatch):
    """2,000 repetitions of 50 runs."""
    monkeypatch.setattr(multiplicities, "NUM_RESAMPLES", 300)
    covered = np.zeros((2000, 2), bool)
    for seed, row in enumerate(covered):
        neurons, is_key = planted(2, num_runs=50, seed=seed)
        slope = proportion(neurons, is_key, DIMS**2).slope
        power = exponent(neurons, is_key, DIMS)
        row[:] = slope.low <= 3 <= slope.high, power.low <= 2 <= power.high
    assert covered.mean(axis=0) == pytest.approx(0.95, abs=0.02)


def test_exact_proportions():
    is_key = np.array(
        [[1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1]], bool
    )
    neurons = 7 * DIMS**2 * np.ones((3, 1), int)
    fit = proportion(neurons, is_key, DIMS**2)
    assert (fit.slope.value, fit.slope.low, fit.slope.high) == pytest.approx((7, 7, 7))
    assert fit.explained.value == pytest.approx(1)
    assert exponent(neurons, is_key, DIMS).value == pytest.approx(2)
    found = allocations(neurons, is_key, {"d²": DIMS**2, "d³": DIMS**3})
    assert found["d²"].error.value == pytest.approx(0)
    assert (found["d²"].best, found["d³"].best) == (1, 0)


def test_least_squares_is_that_of_numpy():
    neurons, is_key = planted(3)
    x, y = np.broadcast_to(DIMS, is_key.shape)[is_key], neurons[is_key]
    fit = proportion(neurons, is_key, DIMS)
    (slope,), (residual,), *_ = np.linalg.lstsq(x[:, None], y)
    assert fit.slope.value == pytest.approx(slope)
    assert fit.explained.value == pytest.approx(
        1 - residual / ((y - y.mean()) ** 2).sum()
    )
    line = np.polyfit(np.log(x), np.log(y), 1)
    assert exponent(neurons, is_key, DIMS, False).value == pytest.approx(line[0])


def test_runs_of_other_widths_or_groups_do_not_disturb_the_exponent_within_runs():
    """Where runs with a few large irreps have ten times the neurons."""
    neurons, is_key = planted(2, num_runs=400)
    large = is_key @ DIMS > 12
    neurons = neurons * np.where(large, 10, 1)[:, None]
    within = exponent(neurons, is_key, DIMS)
    assert within.low < 2 < within.high
    sizes = np.where(large[:, None], DIMS, DIMS + 0.0)
    assert exponent(neurons, is_key, sizes).value == pytest.approx(within.value)
    assert exponent(neurons, is_key, DIMS, within_runs=False).low > 2


@pytest.mark.parametrize(("power", "best"), [(2, "d²"), (3, "d³")])
def test_the_planted_prediction_wins(power, best):
    neurons, is_key = planted(power, num_runs=300)
    found = allocations(neurons, is_key, {"d²": DIMS**2, "d³": DIMS**3})
    assert found[best].best == 1
    assert found[best].error.value == min(of.error.value for of in found.values())
    assert all(of.error.low < of.error.value < of.error.high for of in found.values())


def test_too_few_runs_or_equal_sizes():
    neurons, is_key = planted(2, num_runs=1)
    assert proportion(neurons, is_key, DIMS) is exponent(neurons, is_key, DIMS) is None
    assert allocations(neurons, is_key, {"d": DIMS}) == {}
    neurons, is_key = planted(2)
    assert exponent(neurons, is_key, np.full(6, 4)) is None
    assert proportion(neurons, np.zeros_like(is_key), DIMS) is None


def test_equal_numbers_of_neurons_have_no_variance_to_explain():
    neurons, is_key = np.full((20, 6), 5.0), np.ones((20, 6), bool)
    fit = proportion(neurons, is_key, DIMS)
    assert fit.slope.value == pytest.approx(5 * DIMS.sum() / (DIMS**2).sum())
    assert np.isnan(fit.explained.value) and fit.explained.low is None
    assert exponent(neurons, is_key, DIMS).value == pytest.approx(0)
