"""Certificates: true for every network, whole for networks near their ideal."""

import numpy as np
import pytest

from repjax.explanations.certified import certify, error_bound
from repjax.explanations.rho_sets import fit_rho_sets, logits_of_sets
from repjax.groups import build_group
from tests.explanations import planted_rho_sets as planted
from tests.explanations.test_rho_sets import build


def noisy(weights, scale: float, seed: int = 0):
    """Weights with noise of a share of their norm."""
    rng = np.random.default_rng(seed)
    return tuple(w + scale * w.std() * rng.normal(size=w.shape) for w in weights)


def true_error(group, sets, weights):
    """The largest |L − L_ideal| of each pair, by running both on all."""
    ideal = planted.spread(group, logits_of_sets(group, sets))
    return np.abs(planted.logits(weights) - ideal).max(axis=2)


@pytest.mark.parametrize("case", planted.CASES)
@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_bound_holds_for_every_pair(case, scale):
    group, _, _, _, weights = build(case)
    weights = noisy(planted.disguise(weights), scale)
    sets = fit_rho_sets(group, *weights).sets
    bound = error_bound(group, sets, *weights)
    assert (bound >= true_error(group, sets, weights) - 1e-9).all()
    if scale == 0:
        assert bound.max() < 1e-6


def test_bound_holds_without_some_neurons_and_without_sets():
    group, _, _, _, (left, right, above) = build(planted.CASES[2])
    weights = (3 * left[:, ::3], 3 * right[:, ::3], above[::3])
    for sets in (fit_rho_sets(group, *weights).sets, ()):
        bound = error_bound(group, sets, *weights)
        assert (bound >= true_error(group, sets, weights) - 1e-9).all()


@pytest.mark.parametrize("case", planted.CASES)
def test_certified_accuracy(case):
    group, _, _, _, weights = build(case)
    for scale, certified in ((0.0, 1), (1e-4, 1), (1.0, 0)):
        network = noisy(planted.disguise(weights), scale)
        found = certify(group, fit_rho_sets(group, *network).sets, *network)
        assert found.accuracy == certified, scale
        assert found.accuracy <= found.brute_force
        assert found.seconds > 0 and found.brute_force_seconds > 0


@pytest.mark.parametrize(("size", "certified"), [(0.4, 1), (0.7, 0.75), (10, 0.75)])
def test_margin_must_be_twice_the_bound(size, certified):
    """A neuron that no set explains adds to one logit, for a quarter of all a."""
    group, _, _, _, (left, right, above) = build(planted.CASES[1])
    sets = fit_rho_sets(group, left, right, above).sets
    margin = certify(group, sets, left, right, above).margin
    spike, silent = np.zeros((2, group.order, 1))
    spike[: group.order // 4] = size * margin / (1 - 1 / group.order)
    weights = (
        np.hstack([left, spike]),
        np.hstack([right, silent]),
        np.vstack([above, np.eye(1, group.order)]),
    )
    found = certify(group, fit_rho_sets(group, *weights).sets, *weights)
    assert found.accuracy == pytest.approx(certified)
    assert found.accuracy <= found.brute_force
    assert (found.brute_force < 1) == (size > 1)


def test_bound_of_one_wrong_unembedding_is_exact():
    """Signs ±1, whose absolute values add up: no inequality is strict everywhere."""
    group = build_group("S4")
    _, irrep = planted.irrep_of(group, "sign")
    left, right, above = planted.network(
        irrep, np.array([[1.0], [-1.0]]), np.ones(1), 0.5
    )
    sets = fit_rho_sets(group, left, right, above).sets
    above[1] *= 1.1  # of (1, −1): the others are 0 wherever the label is e
    weights = (left, right, above)
    error = true_error(group, sets, weights)
    assert error.max() == pytest.approx(0.1)
    assert error_bound(group, sets, *weights).max() == pytest.approx(0.1)


def test_nothing_is_certified_without_sets():
    group, _, _, _, weights = build(planted.CASES[0])
    found = certify(group, (), *weights)
    assert found.accuracy == 0 and found.margin == 0 and found.brute_force == 1
