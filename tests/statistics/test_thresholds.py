import numpy as np
import pytest

from repjax.metrics import KEY_SIMILARITY
from repjax.statistics.thresholds import THRESHOLDS, stable_share, threshold_dependence


def test_irreps_leave_the_key_sets_as_the_threshold_rises():
    """Similarities just above each threshold; every run has them all."""
    similarity = np.tile(1.01 * np.array(THRESHOLDS), (50, 1))
    found = threshold_dependence(similarity)
    assert [at.threshold for at in found] == list(THRESHOLDS)
    assert [at.num_key.value for at in found] == [6, 5, 4, 3, 2, 1]
    assert [at.num_key.low for at in found] == [6, 5, 4, 3, 2, 1]
    assert [at.unchanged.count for at in found] == [0, 50, 0, 0, 0, 0]
    assert {at.num_sets for at in found} == {1}
    np.testing.assert_array_equal(found[2].shares, [0, 0, 1, 1, 1, 1])
    assert stable_share(similarity).count == 0


def test_a_clear_gap_makes_the_threshold_irrelevant():
    generator = np.random.default_rng(0)
    key = generator.random((400, 5)) < 0.3
    similarity = np.where(key, 0.5, 1e-4)
    similarity[:10, 0] = 0.03
    found = threshold_dependence(similarity)
    assert stable_share(similarity).count == 390
    low, high = found[0], found[-1]
    assert low.unchanged.count == 400 and high.unchanged.count == 390
    assert low.num_key.low < 1.5 < low.num_key.high
    assert (low.low[1:] < 0.3).all() and (low.high[1:] > 0.3).all()
    assert low.entropy.low < 5 * -(0.3 * np.log(0.3) + 0.7 * np.log(0.7))


def test_a_similarity_equal_to_the_threshold_is_not_key():
    (at,) = threshold_dependence(np.full((2, 1), KEY_SIMILARITY), [KEY_SIMILARITY])
    assert at.num_key.value == 0
    assert stable_share(np.full((2, 1), 0.1), [0.05, 0.1]).count == 0
    assert stable_share(np.full((2, 1), 0.05), [0.05, 0.1]).count == 2


def test_mean_number_of_key_irreps_is_bootstrapped_over_runs():
    """Irreps of a run come together: the interval is that of few units."""
    key = np.repeat(np.random.default_rng(0).random((200, 1)) < 0.5, 8, axis=1)
    (at,) = threshold_dependence(key.astype(float), [0.5])
    expected = 1.96 * 8 * key.std() / 200**0.5
    assert at.num_key.high - at.num_key.value == pytest.approx(expected, rel=0.1)


def test_without_runs_there_is_nothing_to_describe():
    assert threshold_dependence(np.zeros((0, 3))) == ()
