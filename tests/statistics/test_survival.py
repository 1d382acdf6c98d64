"""Kaplan and Meier's curve against scipy's, its band and median against the truth."""

import numpy as np
import pytest
from scipy import stats

from repjax.statistics.survival import generalisation_curve, survival


def watched(num_runs, generator, end=2.0):
    """Exponential times of mean 1, censored at random times up to `end`."""
    times = generator.exponential(size=num_runs)
    ends = generator.uniform(0.2, end, size=num_runs)
    return times[times <= ends].tolist(), ends[times > ends].tolist()


def test_curve_is_that_of_scipy():
    events, censored = watched(60, np.random.default_rng(0))
    found = generalisation_curve(events, censored)
    sample = stats.CensoredData(uncensored=events, right=censored)
    expected = stats.ecdf(sample).sf
    np.testing.assert_allclose(1 - found.shares, expected.evaluate(found.steps))
    with np.errstate(all="ignore"):
        band = expected.confidence_interval(method="log-log")
    inside = np.isfinite(found.low)
    assert inside.sum() > 50
    at = found.steps[inside]
    np.testing.assert_allclose(1 - found.high[inside], band.low.evaluate(at))
    np.testing.assert_allclose(1 - found.low[inside], band.high.evaluate(at))
    assert found.at_risk[0] == 60 and found.at_risk[-1] == 1


def test_curve_of_runs_that_all_generalise_or_never_do():
    found = generalisation_curve([10.0, 20.0, 20.0], [])
    np.testing.assert_allclose(found.shares, [1 / 3, 1])
    np.testing.assert_array_equal(found.at_risk, [3, 2])
    assert np.isnan(found.low[1]) and found.low[0] < 1 / 3 < found.high[0]
    never = generalisation_curve([], [50.0, 50.0])
    np.testing.assert_array_equal(never.shares, [0])
    assert np.isnan(never.high).all()
    assert generalisation_curve([], []) is None


def test_band_and_median_cover_at_their_rate():
    """2,000 repetitions of 200 runs, a third of them censored."""
    generator, probes = np.random.default_rng(1), np.array([0.3, 0.8, 1.4])
    truth, median = -np.expm1(-probes), np.log(2)
    covered, hit = [], []
    for repetition in range(2000):
        events, censored = watched(200, generator)
        found = generalisation_curve(events, censored)
        at = np.searchsorted(found.steps, probes, side="right") - 1
        covered.append((found.low[at] <= truth) & (truth <= found.high[at]))
        if repetition < 1000:  # a median takes 2 ms
            one = survival(events, censored)
            hit.append(one.low <= median <= one.high)
    assert np.mean(covered, axis=0) == pytest.approx(0.95, abs=0.02)
    assert np.mean(hit) == pytest.approx(0.95, abs=0.02)
