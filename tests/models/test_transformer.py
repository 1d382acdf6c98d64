"""The transformer at "=" against attention at all three positions."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from repjax.models import Transformer
from tests import textbook
from tests.compilation import quick_jit
from tests.models import comparison

SIZES = {"num_heads": 3, "d_model": 10, "d_head": 4, "d_mlp": 12}
ORDER = 8


# Small groups' weights are folded into one readout, large ones' (S6) are not.
BOTH_WAYS = pytest.mark.parametrize(("order", "folded"), [(ORDER, True), (24, False)])


@BOTH_WAYS
def test_network_is_the_textbooks(order, folded):
    comparison.check_forward("transformer", order, **SIZES)
    model = Transformer(order=order, **SIZES)
    weights = textbook.random_weights(4, "transformer", order, **SIZES)
    tables = quick_jit(lambda params: model.apply(params, method="tables"))(
        {"params": weights}
    )
    assert ("write" not in tables) == folded


@BOTH_WAYS
def test_gradient_is_that_of_the_textbook(order, folded):
    comparison.check_gradient("transformer", order, **SIZES)


def test_weights_are_the_papers():
    paper = {"num_heads": 4, "d_model": 128, "d_head": 32, "d_mlp": 512}
    shapes = comparison.initial_shapes("transformer", 120, **paper)
    assert shapes == textbook.shapes("transformer", 120, **paper)
    assert sum(map(math.prod, shapes.values())) == 227_840


def test_initial_standard_deviation_is_the_same_for_every_weight():
    model = Transformer(
        order=40, num_heads=3, d_model=50, d_head=20, d_mlp=60, init_std=0.2
    )
    names = textbook.shapes("transformer", ORDER, **SIZES)
    comparison.check_initial_spread(model, dict.fromkeys(names, 0.2))


def test_defaults_are_the_papers_sizes():
    model = Transformer(order=5)
    sizes = (model.num_heads, model.d_model, model.d_head, model.d_mlp)
    assert (*sizes, model.init_std) == (4, 128, 32, 512, 0.8 * 128**-0.5)


def test_logits_are_the_hidden_layers_and_the_residual_streams():
    """U maps activations to logits past the residual stream, which adds its own."""
    model = Transformer(order=ORDER, **SIZES)
    weights = textbook.random_weights(4, "transformer", ORDER, **SIZES)
    left, right = map(jnp.asarray, comparison.all_pairs(ORDER))

    @quick_jit
    def parts(params):
        return (
            model.apply(params, left, right),
            model.attend(model.apply(params, method="tables"), left, right)
            @ weights["W_U"],
            model.hidden(model.apply(params, method="tables"), left, right)
            @ model.apply(params, method="unembedding"),
        )

    logits, residual, hidden = parts({"params": weights})
    assert min(np.std(residual), np.std(hidden)) > 0.2
    np.testing.assert_allclose(logits, residual + hidden, atol=1e-5)


def test_factors_are_the_embedding_without_equals():
    model = Transformer(order=ORDER, **SIZES)
    weights = textbook.random_weights(5, "transformer", ORDER, **SIZES)
    factors = quick_jit(
        lambda weights: model.apply({"params": weights}, method="factors")
    )
    for factor in factors(weights):
        np.testing.assert_array_equal(factor, weights["W_E"][:-1])
