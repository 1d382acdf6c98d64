"""The MLP and the bilinear network against gather, concatenate, multiply."""

import math

import numpy as np
import pytest

from repjax.models import ARCHITECTURES, Mlp
from tests import textbook
from tests.compilation import quick_jit
from tests.models import comparison

SIZES = {"embed_dim": 6, "hidden_dim": 10}
ORDER = 8

both = pytest.mark.parametrize("architecture", ["mlp", "bilinear"])


@both
def test_network_is_the_textbooks(architecture):
    comparison.check_forward(architecture, ORDER, **SIZES)


@both
def test_gradient_is_that_of_the_textbook(architecture):
    comparison.check_gradient(architecture, ORDER, **SIZES)


@both
def test_weights_are_the_papers(architecture):
    paper = {"embed_dim": 256, "hidden_dim": 128}
    shapes = comparison.initial_shapes(architecture, 120, **paper)
    assert shapes == textbook.shapes(architecture, 120, **paper)
    assert sum(map(math.prod, shapes.values())) == 142_336


def test_initial_standard_deviation_is_one_over_root_width():
    model = Mlp(order=90, embed_dim=40, hidden_dim=70)
    expected = {"W_x": 40**-0.5, "W_y": 40**-0.5, "W": 80**-0.5, "W_U": 70**-0.5}
    comparison.check_initial_spread(model, expected)


@both
def test_defaults_are_the_papers_sizes(architecture):
    model = ARCHITECTURES[architecture](order=5)
    assert (model.embed_dim, model.hidden_dim) == (256, 128)


@both
def test_factors_act_before_they_meet(architecture):
    """What one factor brings does not depend on the other."""
    weights = textbook.random_weights(0, architecture, ORDER, **SIZES)
    changed = weights | {"W_y": np.zeros_like(weights["W_y"])}
    model = ARCHITECTURES[architecture](order=ORDER, **SIZES)
    factors = quick_jit(
        lambda weights: model.apply({"params": weights}, method="factors")
    )
    left, right = factors(weights)
    left_alone, nothing = factors(changed)
    np.testing.assert_array_equal(left, left_alone)
    np.testing.assert_array_equal(nothing, 0)
    assert np.abs(right).max() > 0.1
