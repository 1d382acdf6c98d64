"""Calibration of laws that are right, too extreme, or too low."""

import numpy as np
import pytest
from scipy import special

from repjax.statistics import discrimination
from repjax.statistics.calibration import calibration

OFFSETS = np.array([-2.0, 0.0, 1.0])


def planted(num_runs, seed):
    """Log odds of three irreps of different frequency, and outcomes."""
    rng = np.random.default_rng(seed)
    log_odds = OFFSETS + rng.normal(size=(num_runs, 3))
    return log_odds, rng.random((num_runs, 3)) < special.expit(log_odds)


def test_a_right_law():
    found = calibration(*planted(4000, 0))
    assert found.slope.low < 1 < found.slope.high
    assert found.intercept.low < 0 < found.intercept.high
    inside = [of.observed.low <= of.predicted <= of.observed.high for of in found.bins]
    assert sum(inside) >= 9
    predicted = [of.predicted for of in found.bins]
    assert predicted == sorted(predicted)
    assert sum(of.observed.total for of in found.bins) == 12_000


def test_an_overconfident_law():
    """Its log odds are twice those of the truth, in each irrep around its own."""
    log_odds, is_key = planted(4000, 1)
    found = calibration(OFFSETS + 2 * (log_odds - OFFSETS), is_key)
    assert found.slope.low < 0.5 < found.slope.high
    assert found.slope.high < 0.6
    first, *_, last = found.bins
    assert first.observed.low > first.predicted
    assert last.observed.high < last.predicted


def test_a_law_that_is_too_low():
    log_odds, is_key = planted(4000, 2)
    found = calibration(log_odds - 0.7, is_key)
    assert found.intercept.low < 0.7 < found.intercept.high
    assert found.slope.low < 1 < found.slope.high


def test_frequencies_alone_do_not_give_a_slope():
    """The law knows how often each irrep is key, and nothing of the runs."""
    rng = np.random.default_rng(3)
    log_odds = OFFSETS + 0.3 * rng.normal(size=(4000, 3))
    is_key = rng.random((4000, 3)) < special.expit(OFFSETS)
    found = calibration(log_odds, is_key)
    assert found.slope.low < 0 < found.slope.high < 0.5


def test_intervals_cover_at_their_rate(monkeypatch):
    monkeypatch.setattr(discrimination, "NUM_RESAMPLES", 300)
    monkeypatch.setattr("repjax.statistics.calibration._bins", lambda *_: ())
    covered = np.zeros((500, 2), bool)
    for seed, row in enumerate(covered):
        log_odds, is_key = planted(200, seed)
        found = calibration(OFFSETS + 2 * (log_odds - OFFSETS), is_key)
        row[0] = found.slope.low <= 0.5 <= found.slope.high
        found = calibration(log_odds - 0.7, is_key)
        row[1] = found.intercept.low <= 0.7 <= found.intercept.high
    assert covered.mean(axis=0) == pytest.approx(0.95, abs=0.02)


def test_all_or_none_key():
    log_odds, _ = planted(50, 0)
    for outcome in (True, False):
        found = calibration(log_odds, np.full(log_odds.shape, outcome))
        assert np.isfinite([found.slope.value, found.intercept.value]).all()
