"""AUC within irreps: pair by pair, and coverage of its interval."""

import numpy as np
import pytest
from scipy import stats

from repjax.statistics import discrimination
from repjax.statistics.discrimination import auc, auc_value


def pair_by_pair(scores, is_key, folds):
    """Share of pairs of runs of one fold, the first with the irrep as key."""
    wins = []
    for rows in folds:
        for irrep in range(scores.shape[1]):
            for one in rows[is_key[rows, irrep]]:
                for other in rows[~is_key[rows, irrep]]:
                    difference = scores[one, irrep] - scores[other, irrep]
                    wins.append((np.sign(difference) + 1) / 2)
    return np.mean(wins)


def test_it_is_the_share_of_pairs():
    """With ties, in one piece and in three folds."""
    rng = np.random.default_rng(0)
    scores = rng.integers(5, size=(30, 3)).astype(float)
    is_key = rng.random((30, 3)) < [0.2, 0.5, 0.8]
    whole, folds = [np.arange(30)], np.array_split(rng.permutation(30), 3)
    for parts in (whole, folds):
        expected = pair_by_pair(scores, is_key, parts)
        found = auc(scores, is_key, parts)
        assert found.value == pytest.approx(expected)
        assert auc_value(scores, is_key, parts) == pytest.approx(expected)
    assert auc(scores, is_key).value == auc(scores, is_key, whole).value


def test_irreps_are_not_compared():
    """Of irreps that are key more often and have larger scores, but no lottery."""
    is_key = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], bool)
    scores = np.array([[9, 1], [7, 3], [8, 2], [8, 2]], float)
    assert auc(scores, is_key).value == 0.5
    assert auc(scores, np.array([[1, 0]] * 4, bool)) is None
    assert np.isnan(auc_value(scores, np.array([[1, 0]] * 4, bool), [np.arange(4)]))


def test_perfect_scores():
    is_key = np.array([[1], [0], [1], [0]], bool)
    found = auc(is_key.astype(float), is_key)
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_intervals_cover_at_their_rate(monkeypatch):
    """Keys are N(1, 1), others N(0, 1): AUC = Φ(1/√2).

    Both irreps of a run share their outcome and half of the variance: intervals for
    independent entries would be too short.
    """
    monkeypatch.setattr(discrimination, "NUM_RESAMPLES", 300)
    rng, truth = np.random.default_rng(0), stats.norm.cdf(0.5**0.5)
    covered, lengths = [], []
    for _ in range(1000):
        is_key = np.repeat(rng.random((100, 1)) < 0.5, 2, axis=1)
        shared = rng.normal(size=(100, 1))
        scores = is_key + (shared + rng.normal(size=(100, 2))) / 2**0.5
        found = auc(scores, is_key)
        covered.append(found.low <= truth <= found.high)
        lengths.append(found.high - found.low)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert np.mean(lengths) < 0.2
