import numpy as np
import pytest
from scipy import stats

from repjax.statistics.intervals import (
    mean,
    median,
    resampled_sums,
    share,
    share_intervals,
)


@pytest.mark.parametrize(("count", "total"), [(0, 4), (1, 4), (4, 4), (49, 50)])
def test_share_has_the_interval_of_clopper_and_pearson(count, total):
    """Its ends are those p at which so many or more extreme have probability 2.5 %."""
    found = share(count, total)
    assert found.value == count / total
    if count:
        assert stats.binom.sf(count - 1, total, found.low) == pytest.approx(0.025)
    else:
        assert found.low == 0
    if count < total:
        assert stats.binom.cdf(count, total, found.high) == pytest.approx(0.025)
    else:
        assert found.high == 1


def test_share_of_no_runs_says_nothing():
    found = share(0, 0)
    assert (found.value, found.low, found.high) == (None, 0, 1)


def test_bootstrap_of_a_mean_is_near_the_normal_interval_and_repeats():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean(values)
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)
    assert found == mean(values)


def test_median_and_its_interval_are_values_that_runs_can_have():
    found = median([1, 1, 2, 100, 1000])
    assert (found.value, found.low, found.high, found.num) == (2, 1, 1000, 5)


def test_runs_that_agree_one_run_and_none():
    same = mean([3, 3, 3])
    assert (same.value, same.low, same.high) == (3, 3, 3)
    alone = median([7])
    assert (alone.value, alone.low, alone.high, alone.num) == (7, None, None, 1)
    assert mean([]) is None


def test_many_shares_have_the_intervals_of_single_ones():
    counts, totals = np.array([0, 1, 4, 49, 0]), np.array([4, 4, 4, 50, 0])
    low, high = share_intervals(counts, totals)
    single = [
        share(*pair) for pair in zip(counts.tolist(), totals.tolist(), strict=True)
    ]
    np.testing.assert_allclose(low, [one.low for one in single], atol=1e-12)
    np.testing.assert_allclose(high, [one.high for one in single], atol=1e-12)


@pytest.mark.parametrize("chance", [0.03, 0.4, 0.9])
def test_intervals_of_shares_cover_at_their_rate(chance):
    counts = np.random.default_rng(0).binomial(1000, chance, size=2000)
    low, high = share_intervals(counts, 1000)
    assert np.mean((low <= chance) & (chance <= high)) == pytest.approx(0.95, abs=0.02)


def test_resampled_sums_keep_runs_whole():
    parts = np.random.default_rng(0).normal(size=(300, 1)) * [1.0, -2.0] + [0, 1]
    sums = resampled_sums(parts, 5000)
    np.testing.assert_allclose(sums[:, 1], 300 - 2 * sums[:, 0])
    assert sums.mean(axis=0) == pytest.approx(parts.sum(axis=0), abs=2)
    assert sums.std(axis=0) == pytest.approx(parts.std(axis=0) * 300**0.5, rel=0.05)
    np.testing.assert_array_equal(sums, resampled_sums(parts, 5000))
