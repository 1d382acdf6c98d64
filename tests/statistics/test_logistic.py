"""Logistic regression against a general optimiser, and planted slopes."""

import numpy as np
import pytest
from scipy import optimize, special

from repjax.statistics import discrimination
from repjax.statistics.discrimination import with_interval
from repjax.statistics.logistic import base_rates, fit_logistic

OFFSETS = np.array([-1.5, 0.0, 1.0])
SLOPES = np.array([1.0, -0.5])


def planted(num_runs, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_runs, 3, 2))
    chance = special.expit(OFFSETS + features @ SLOPES)
    return features, rng.random(chance.shape) < chance


def test_it_maximises_the_penalised_likelihood():
    features, is_key = planted(60, 0)
    start = special.logit(base_rates(is_key))

    def loss(values):
        log_odds = values[:3] + features @ values[3:]
        fit = np.logaddexp(0, np.where(is_key, -log_odds, log_odds)).sum()
        penalty = 5 * (values[3:] ** 2).sum() + ((values[:3] - start) ** 2).sum()
        return fit + penalty / 2

    best = optimize.minimize(loss, np.zeros(5), tol=1e-9)
    law = fit_logistic(features, is_key, ridge=5.0)
    np.testing.assert_allclose(law.intercepts, best.x[:3], atol=1e-4)
    np.testing.assert_allclose(law.slopes, best.x[3:], atol=1e-4)
    chance = special.expit(law.log_odds(features))
    design = np.concatenate([np.tile(np.eye(3), (60, 1)), features.reshape(-1, 2)], 1)
    hessian = (design.T * (chance * (1 - chance)).ravel()) @ design
    hessian += np.diag([1, 1, 1, 5, 5])
    # Of the slopes, the intercepts profiled out.
    np.testing.assert_allclose(
        np.linalg.inv(law.information), np.linalg.inv(hessian)[3:, 3:], rtol=1e-4
    )


def test_planted_slopes_are_recovered():
    law = fit_logistic(*planted(20_000, 0))
    np.testing.assert_allclose(law.slopes, SLOPES, atol=0.05)
    np.testing.assert_allclose(law.intercepts, OFFSETS, atol=0.05)


def test_intervals_cover_at_their_rate(monkeypatch):
    """Without the ridge, which pulls slopes towards 0."""
    monkeypatch.setattr(discrimination, "NUM_RESAMPLES", 300)
    covered = np.zeros((500, 2), bool)
    for seed, row in enumerate(covered):
        law = fit_logistic(*planted(200, seed), ridge=0.0)
        for k in range(2):
            found = with_interval(law.slopes[k], law.influence[:, k])
            row[k] = found.low <= SLOPES[k] <= found.high
    assert covered.mean(axis=0) == pytest.approx(0.95, abs=0.02)


def test_separable_data_and_constant_outcomes_have_finite_fits():
    features, _ = planted(40, 1)
    is_key = features[..., 0] > 0
    is_key[:, 2] = True
    law = fit_logistic(features, is_key)
    assert np.isfinite(law.slopes).all() and law.slopes[0] > 1
    assert np.isfinite(law.intercepts).all() and law.intercepts[2] > 2
