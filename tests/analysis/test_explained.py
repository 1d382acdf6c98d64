"""Planted class functions, bi-equivariant functions, and neurons on cosets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis.basis import Basis, build_basis
from repjax.analysis.explained import explained_shares
from repjax.analysis.passes import sum_over_pairs
from repjax.explanations.cosets import Cosets, build_cosets
from repjax.explanations.neurons import describe_neurons
from repjax.groups import Group, build_group, real_irreps
from repjax.groups.subgroups import left_cosets, right_cosets, subgroups
from repjax.models import Bilinear
from tests.analysis import planted
from tests.compilation import quick_jit


def shares(group: Group, weights: planted.Weights, basis: Basis) -> dict:
    """The shares of a bilinear network's logits."""
    hidden = weights["W"].shape[1]
    model = Bilinear(order=group.order, embed_dim=group.order, hidden_dim=hidden)
    kernel = quick_jit(
        lambda params, basis: explained_shares(
            sum_over_pairs(model, params, basis), basis
        )
    )
    return jax.device_get(kernel({"params": weights}, basis))


def bi_equivariant(group: Group, name: str, mix: np.ndarray) -> planted.Weights:
    """Logits tr M·ρ(a⁻¹cb⁻¹): units (i, j, k, l) of ρ(a)_ji·ρ(b)_lk·ρ(c)_jk·M_li."""
    (rho,) = (i.matrices for i in real_irreps(group) if i.name == name)
    i, j, k, m = np.indices((rho.shape[1],) * 4).reshape(4, -1)
    units = rho[:, j, i], rho[:, m, k], rho[:, j, k].T * mix[m, i][:, None]
    return planted.one_layer(units)


def shuffled(tree, place: np.ndarray):
    """The same group with element g at `place[g]`, as its basis or its cosets."""
    back = np.argsort(place)
    if isinstance(tree, Cosets):
        return tree.replace(elements=tree.elements[:, back])

    def table(x):
        return jnp.asarray(place)[x[np.ix_(back, back)]]

    return tree.replace(
        fourier=tree.fourier[back],
        characters=tree.characters[:, back],
        labels=table(tree.labels),
        product=table(tree.product),
        class_of=tree.class_of[back],
    )


@pytest.mark.parametrize("name", ["C7", "D5", "S4", "A4", "Q8"])
def test_characters_are_class_functions(name):
    """Every explanation has all of them; shuffled elements leave little."""
    group = build_group(name)
    scales = {irrep.name: 1.0 for irrep in real_irreps(group)[1:3]}
    weights = planted.one_layer(planted.product_units(group, scales))
    found = shares(group, weights, build_basis(group))
    for metric in ("fve_class", "fve_ab", "fve_equivariant"):
        np.testing.assert_allclose(found[metric], 1, atol=2e-6, err_msg=metric)
    assert found["equivariance_spread"] < 1e-5
    place = np.random.default_rng(1).permutation(group.order)
    found = shares(group, weights, shuffled(build_basis(group), place))
    for metric in ("fve_class", "fve_ab", "fve_equivariant"):
        assert found[metric] < 0.7, metric
    assert found["equivariance_spread"] > 0.1


@pytest.mark.parametrize(("name", "irrep"), [("S4", "standard"), ("A5", "3d_a")])
def test_bi_equivariant_functions_that_are_no_class_functions(name, irrep):
    """All of tr M·ρ is bi-equivariant, (tr M)²/(d‖M‖²) of it a class function."""
    group = build_group(name)
    mix = np.random.default_rng(0).normal(size=(3, 3)) + np.eye(3)
    found = shares(group, bi_equivariant(group, irrep, mix), build_basis(group))
    expected = np.trace(mix) ** 2 / 3 / (mix**2).sum()
    assert 0.1 < expected < 0.9
    np.testing.assert_allclose(found["fve_equivariant"], 1, atol=2e-6)
    np.testing.assert_allclose(found["fve_class"], expected, atol=2e-6)
    np.testing.assert_allclose(found["fve_ab"], expected, atol=2e-6)


@pytest.mark.parametrize("name", ["S4", "D6", "A5", "Q8"])
def test_neurons_on_cosets_are_found_with_their_subgroup(name):
    """One neuron for each subgroup, random on its cosets; then shuffled elements."""
    group = build_group(name)
    found = subgroups(group)
    rng = np.random.default_rng(0)
    members = found.members[(found.orders > 1) & (found.orders < group.order)]

    def neurons(cosets):
        return np.stack(
            [3 * rng.normal(size=group.order)[cosets(group, row)] for row in members], 1
        )

    received = neurons(right_cosets), neurons(left_cosets)
    above = np.zeros((len(members), group.order))
    kernel = quick_jit(describe_neurons)
    basis, cosets = build_basis(group), build_cosets(group)
    described = jax.device_get(
        kernel(*map(jnp.float32, (*received, above)), basis, cosets)
    )
    assert described["live"] == len(members)
    assert described["coset_left"] == described["coset_right"] == 1
    assert described["coset_order"].tolist() == members.sum(axis=1).tolist()
    place = np.random.default_rng(1).permutation(group.order)
    described = jax.device_get(
        kernel(
            *map(jnp.float32, (*received, above)),
            shuffled(basis, place),
            shuffled(cosets, place),
        )
    )
    assert described["coset_left"] < 0.3
    assert described["coset_right"] < 0.3


def test_pure_neurons_and_multiplicities():
    """Neurons with 96 % of one irrep are pure, with 94 % not; dead ones are out."""
    group = build_group("S4")
    basis = build_basis(group)
    member, fourier = np.asarray(basis.member), np.asarray(basis.fourier)
    first = [fourier[:, member[k].argmax()] for k in range(len(member))]
    columns = [
        np.sqrt(0.96) * first[2] + np.sqrt(0.04) * first[1],
        np.sqrt(0.94) * first[2] + np.sqrt(0.06) * first[1],
        first[0],
        first[1],
        0.1 * first[3],
    ]
    received = jnp.float32(1.01 * np.stack(columns, axis=1))
    found = jax.device_get(
        quick_jit(describe_neurons)(
            received, received, received.T, basis, build_cosets(group)
        )
    )
    assert found["live"] == 4
    assert found["pure_a"] == found["pure_b"] == found["pure_u"] == 0.75
    assert found["multiplicity"].tolist() == [1, 1, 2, 0, 0]
    assert found["coset_order"].tolist() == [4, 4, 12, 12, 0]  # 2d is of S4/V4
