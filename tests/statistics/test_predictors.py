"""Key sets predicted from energies, under laws with known answers."""

import numpy as np
from scipy import special, stats

from repjax.statistics import discrimination
from repjax.statistics.predictors import (
    MIN_RUNS,
    predict,
    standardise,
    with_competition,
)

NAMES = ("first", "second")
# Frequencies and energies of irreps differ, and rise together.
OFFSETS = np.array([-1.5, 0.0, 1.5])
SCALES = np.array([1.0, 4.0, 25.0])


def simulated(num_runs, seed, slope=0.0):
    """Log-normal energies of three irreps; the second feature means nothing."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(num_runs, 3, 2))
    energies = SCALES[:, None] * np.exp(0.1 * normal)
    chance = special.expit(OFFSETS + slope * normal[..., 0])
    return energies, rng.random(chance.shape) < chance


def test_features_without_meaning_keep_the_level_of_the_tests(monkeypatch):
    """p-values are uniform: of 100 samples, for a feature and the regression."""
    monkeypatch.setattr(discrimination, "NUM_RESAMPLES", 50)
    p_values = []
    for seed in range(100):
        energies, is_key = simulated(50, seed)
        found = predict(energies, is_key, NAMES, num_draws=99, num_refits=9)
        p_values.append(
            [found.aucs["first"].p_value, found.auc.p_value, found.skill.p_value]
        )
    of_feature, of_auc, of_skill = np.transpose(p_values)
    assert stats.kstest(of_feature, "uniform").pvalue > 0.01
    for values in (of_auc, of_skill):  # multiples of 1/10
        counts = np.bincount(np.rint(10 * values).astype(int), minlength=11)[1:]
        assert stats.chisquare(counts).pvalue > 0.01


def test_how_often_an_irrep_is_key_does_not_help():
    """Although energies alone would tell irreps apart."""
    energies, is_key = simulated(1000, 0)
    found = predict(energies, is_key, NAMES, num_draws=199, num_refits=19)
    for of in (*found.aucs.values(), found.auc):
        assert of.null_low < of.estimate.value < of.null_high
        assert of.null_low < 0.5 < of.null_high
    assert found.skill.estimate.high < 0.002
    assert abs(found.coefficients["first"].value) < 0.15


def test_a_planted_law_is_found():
    """Slope 1 per standard deviation: its AUC by integration over both laws."""
    energies, is_key = simulated(2000, 1, slope=1.0)
    found = predict(energies, is_key, NAMES, num_draws=199, num_refits=19)
    truth = area_of_law(slope=1.0)
    for of in (found.aucs["first"], found.auc):
        assert of.estimate.low < truth < of.estimate.high
        assert of.null_high < 0.55 < of.estimate.low
    assert found.aucs["first"].p_value == 1 / 200
    assert found.auc.p_value == found.skill.p_value == 1 / 20
    assert found.aucs["second"].p_value > 0.05
    slope = found.coefficients["first"]
    assert slope.low < 1 < slope.high and slope.high - slope.low < 0.3
    assert found.skill.estimate.low > 0.1 > found.skill.null_high
    calibrated = found.calibration.slope
    assert calibrated.low < 1 < calibrated.high
    assert found.used.all() and found.num_runs == 2000


def area_of_law(slope):
    """P(x > y) for normal x of key irreps and y of others, pooled over irreps."""
    x = np.linspace(-8, 8, 4001)
    wins = pairs = 0.0
    for offset in OFFSETS:
        density, chance = stats.norm.pdf(x), special.expit(offset + slope * x)
        key, other = density * chance, density * (1 - chance)
        below = np.cumsum(other) - other / 2
        wins += (key * below).sum()
        pairs += key.sum() * other.sum()
    return wins / pairs


def test_the_largest_energy_wins():
    """A lottery among four irreps with equal tickets.

    Of uniform numbers, the largest of K beats one that is not the largest of another
    run with probability K/(K−1)·(K/(K+1) − 1/(2K)): 0.9.
    """
    rng = np.random.default_rng(0)
    tickets = rng.random((1500, 4))
    is_key = tickets == tickets.max(axis=1, keepdims=True)
    energies, names = with_competition(tickets[..., None], ("energy",), is_key)
    assert names == ("energy", "energy_relative")
    found = predict(energies, is_key, names, num_draws=19, num_refits=9)
    alone, relative = (found.aucs[name].estimate for name in names)
    assert alone.low < 0.9 < alone.high
    assert relative.low > 0.95
    assert found.auc.estimate.low > alone.high


def test_small_energies_may_win_too():
    """The test of a feature has two sides."""
    energies, is_key = simulated(400, 2, slope=-1.0)
    found = predict(energies, is_key, NAMES, num_draws=199, num_refits=9)
    assert found.aucs["first"].estimate.high < 0.4
    assert found.aucs["first"].p_value == 1 / 200
    assert found.coefficients["first"].high < 0
    assert found.auc.estimate.low > 0.6


def test_competition_divides_by_the_mean_of_the_others():
    """In units of the mean over runs, among irreps that are key in some run."""
    energies = np.array([[1.0, 10.0, 5.0, 9.0], [3.0, 30.0, 7.0, 9.0]])[..., None]
    is_key = np.array([[True, False, True, False], [False, True, False, False]])
    both, _ = with_competition(energies, ("e",), is_key)
    np.testing.assert_array_equal(both[..., 0], energies[..., 0])
    scaled = np.array([[0.5, 0.5, 5 / 6], [1.5, 1.5, 7 / 6]])
    others = (scaled.sum(axis=1, keepdims=True) - scaled) / 2
    np.testing.assert_allclose(both[:, :3, 1], scaled / others)
    alone, names = with_competition(energies, ("e",), is_key & [True] + [False] * 3)
    assert alone is energies and names == ("e",)


def test_logarithms_are_standardised_within_irreps():
    """A zero is as small as the least positive; a constant becomes 0."""
    energies = np.array([[1.0, 5, 0], [10, 5, 2], [100, 5, 4]])[..., None]
    found = standardise(energies)[..., 0]
    np.testing.assert_allclose(found[:, 0], np.array([-1, 0, 1]) * 1.5**0.5)
    assert (found[:, 1] == 0).all() and found[0, 2] == found[1, 2] < found[2, 2]
    assert np.isfinite(standardise(np.zeros((3, 1, 1)))).all()


def test_irreps_that_hardly_vary_are_left_out():
    energies, is_key = simulated(200, 3, slope=1.0)
    is_key[:, 2] = np.arange(200) < MIN_RUNS - 1
    found = predict(energies, is_key, NAMES, num_draws=19, num_refits=9)
    assert found.used.tolist() == [True, True, False]
    again = predict(energies[:, :2], is_key[:, :2], NAMES, num_draws=19, num_refits=9)
    assert again.auc == found.auc and again.calibration == found.calibration
    is_key[:] = True
    assert predict(energies, is_key, NAMES) is None
    assert predict(energies[:0], is_key[:0], NAMES) is None
