"""Kernels for pictures, against slow definitions and planted networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis.anatomy import activation_maps, dissect, logit_map
from repjax.analysis.basis import build_basis
from repjax.groups import build_fourier, real_irreps
from repjax.models import ARCHITECTURES, Bilinear
from tests import textbook
from tests.analysis import definitions, planted
from tests.analysis.test_evaluate import SIZES, Network
from tests.compilation import quick_jit
from tests.small_groups import small_group


def dissector(model, basis):
    kernel = quick_jit(lambda params, basis: dissect(model, params, basis))
    return lambda weights: jax.device_get(kernel({"params": weights}, basis))


def assert_close(actual, expected, name, atol=2e-6):
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=atol, err_msg=name)


@pytest.mark.parametrize("architecture", SIZES)
@pytest.mark.parametrize("name", ["A4", "Q8"])
def test_anatomy_is_its_definition(name, architecture):
    network = Network(name, architecture)
    group, fourier = network.group, build_fourier(network.group)
    kernel = dissector(network.model, network.basis)
    to_map = quick_jit(logit_map)
    for weights in (network.random, network.trained()):
        actual = kernel(weights)
        expected = definitions.anatomy(group, architecture, weights, network.labels)
        for quantity, value in expected.items():
            # Of distances, √(2 − 2c) squares the rounding of the cosine c.
            atol = 1e-3 if quantity == "logit_map_distances" else 2e-6
            assert_close(actual[quantity], value, quantity, atol)

        exact = textbook.in_float64(weights)
        unembedding = definitions.factors(architecture, exact)[2]
        assert_close(actual["unembedding"], unembedding @ fourier.matrix, "U", 1e-5)

        pairs = np.divmod(np.arange(group.order**2), group.order)
        hidden, _ = textbook.FORWARD[architecture](exact, *pairs)
        for irrep in real_irreps(group):
            matrices = jnp.array(irrep.matrices, jnp.float32)
            maps = to_map(
                actual["logits_ab"], matrices, jnp.array(group.inverse, jnp.int32)
            )
            slow = definitions.logit_map(
                group,
                irrep.matrices,
                hidden,
                exact,
                architecture,
                network.labels[pairs],
            )
            for fast, of_pairs in zip(maps, slow, strict=True):
                assert_close(fast, of_pairs, irrep.name, 1e-5)


@pytest.mark.parametrize("architecture", SIZES)
def test_maps_are_the_activations_of_the_neurons_asked_for(architecture):
    network, neurons = Network("D5", architecture), jnp.array([7, 2, 2])
    n = network.group.order
    params = {"params": network.random}
    maps = quick_jit(lambda p, m: activation_maps(network.model, p, m))(params, neurons)
    exact = textbook.in_float64(network.random)
    hidden, _ = textbook.FORWARD[architecture](exact, *np.divmod(np.arange(n * n), n))
    expected = hidden.reshape(n, n, -1).transpose(2, 0, 1)[np.asarray(neurons)]
    assert maps.shape == (3, n, n)
    assert_close(maps, expected, architecture)


@pytest.mark.parametrize("name", ["C8", "D6", "S4", "A4", "Q8"])
def test_planted_map_is_the_permutation(name):
    """Bilinear units of characters give tr ρ(ab)ρ(c⁻¹) itself."""
    group = small_group(name)
    irreps = real_irreps(group)[1:]
    scales = {irrep.name: 1.0 for irrep in irreps}
    weights = planted.one_layer(planted.product_units(group, scales))
    hidden_dim = weights["W"].shape[1]
    model = Bilinear(order=group.order, embed_dim=group.order, hidden_dim=hidden_dim)
    anatomy = dissector(model, build_basis(group))(weights)
    assert_close(anatomy["logit_map_distances"][1:], 0, name, 1e-3)
    assert not anatomy["is_off"].any()
    # All that the network says is in key space; outside, every class is as likely.
    loss = planted.character_loss(group, scales)
    assert_close(anatomy["loss"], loss, name)
    assert_close(anatomy["key_space_loss"], loss, name)
    assert_close(anatomy["complement_loss"], np.log(group.order), name)
    for irrep in irreps:
        matrices = jnp.array(irrep.matrices, jnp.float32)
        actual, ideal = quick_jit(logit_map)(
            anatomy["logits_ab"], matrices, jnp.array(group.inverse, jnp.int32)
        )
        assert_close(actual, ideal, irrep.name)
        if irrep.type == "real":
            d = irrep.dim
            i, j = np.divmod(np.arange(d * d), d)
            permutation = np.zeros((d * d, d * d))
            permutation[i * d + j, j * d + i] = 1
            assert_close(ideal, permutation, irrep.name)
        else:
            assert_close(np.linalg.norm(ideal, 2), 1, irrep.name)


def test_a_network_without_hidden_layer_has_no_map():
    group = small_group("S3")
    matrices = jnp.array(real_irreps(group)[2].matrices, jnp.float32)
    inverse = jnp.array(group.inverse, jnp.int32)
    actual, _ = logit_map(jnp.zeros((6, 6)), matrices, inverse)
    assert not np.asarray(actual).any()


def test_every_architecture_is_tested():
    assert set(SIZES) == set(ARCHITECTURES)
