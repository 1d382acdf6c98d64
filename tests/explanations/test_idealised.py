"""Idealised logits against their definitions: slow, float64, n³ arrays."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis.basis import build_basis
from repjax.analysis.passes import sum_over_pairs
from repjax.explanations.coset_networks import coset_means, coset_performance
from repjax.explanations.cosets import build_cosets
from repjax.explanations.idealised import (
    equivariant_performance,
    gcr_performance,
    performance_of_function,
    performance_of_tables,
)
from repjax.groups import build_group, real_irreps
from repjax.groups.subgroups import left_cosets, right_cosets, subgroups
from repjax.models import ARCHITECTURES
from tests import textbook
from tests.analysis import planted
from tests.compilation import quick_jit
from tests.explanations import planted_rho_sets as rho_sets
from tests.small_groups import small_group

SIZES = {
    "mlp": {"embed_dim": 12, "hidden_dim": 20},
    "bilinear": {"embed_dim": 12, "hidden_dim": 20},
    "transformer": {"num_heads": 2, "d_model": 8, "d_head": 4, "d_mlp": 12},
}


@cache
def kernels(architecture: str, group, **sizes):
    """Weights → the three idealised networks' performance, compiled once."""
    model = ARCHITECTURES[architecture](order=group.order, **sizes)
    basis, cosets = build_basis(group), build_cosets(group)

    def measure(params, key):
        sums = sum_over_pairs(model, params, basis)
        found = {
            "gcr": gcr_performance(sums, basis, key),
            "equivariant": equivariant_performance(sums, basis),
        }
        if architecture != "transformer":
            found["coset"] = coset_performance(model, params, basis, cosets)
        return found

    kernel = quick_jit(measure)
    return lambda weights, key: jax.device_get(
        kernel({"params": weights}, jnp.asarray(key))
    )


def triples(group):
    """Indices of label·c⁻¹ and of a⁻¹·c·b⁻¹ of all triples (a, b, c)."""
    table, inverse = group.table, group.inverse
    quotient = table[table][:, :, inverse]
    return quotient, rho_sets.spread(group, np.arange(group.order))


def mean_by(values, index):
    """Each value replaced by the mean over all triples with its index."""
    sums, count = np.bincount(index.ravel(), values.ravel()), np.bincount(index.ravel())
    return (sums / count)[index]


def performance(actual, ideal, labels):
    """Accuracy, loss and share of n³ logits."""
    n = len(labels)
    flat = ideal.reshape(n * n, n)
    return {
        "accuracy": (flat.argmax(axis=1) == labels.ravel()).mean(),
        "loss": textbook.cross_entropy(flat, labels.ravel()).mean(),
        "share": 1 - ((actual - ideal) ** 2).sum() / (actual**2).sum(),
    }


def centred_logits(architecture, group, weights):
    n = group.order
    a, b = np.divmod(np.arange(n * n), n)
    weights = textbook.in_float64(weights)
    _, logits = textbook.FORWARD[architecture](weights, a, b)
    return (logits - logits.mean(axis=1, keepdims=True)).reshape(n, n, n)


def check(found, expected, what):
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, atol=2e-5, err_msg=f"{what}: {name}"
        )


@pytest.mark.parametrize("architecture", SIZES)
@pytest.mark.parametrize("name", ["D5", "A4", "Q8"])
def test_functions_of_a_triple(architecture, name):
    group = small_group(name)
    sizes = SIZES[architecture]
    weights = textbook.random_weights(3, architecture, group.order, **sizes)
    actual = centred_logits(architecture, group, weights)
    quotient, between = triples(group)
    for seed in range(2):
        irreps = real_irreps(group)
        key = np.random.default_rng(seed).random(len(irreps)) < 0.6
        key[0] = False
        found = kernels(architecture, group, **sizes)(weights, key)
        by_irrep = [irrep.character[quotient] for irrep in irreps]
        gcr = sum(
            ((actual * chi).sum() / (chi**2).sum() * chi
             for chi, chosen in zip(by_irrep, key, strict=True) if chosen),
            np.zeros_like(actual),
        )  # fmt: skip
        expected = performance(actual, gcr, group.table)
        check(found["gcr"], expected, "GCR")
        equivariant = mean_by(actual, between)
        expected = performance(actual, equivariant, group.table)
        check(found["equivariant"], expected, "bi-equivariant")


def test_planted_characters_are_all_there_is():
    group = small_group("S4")
    names = [irrep.name for irrep in real_irreps(group)]
    scales = {names[2]: 0.7, names[3]: 1.5}
    units = planted.product_units(group, scales)
    weights = planted.one_layer(units)
    sizes = {"embed_dim": group.order, "hidden_dim": weights["W"].shape[1]}
    key = np.array([name in scales for name in names])
    found = kernels("bilinear", group, **sizes)(weights, key)
    loss = planted.character_loss(group, scales)
    for explanation in ("gcr", "equivariant"):
        check(found[explanation], {"accuracy": 1, "share": 1}, explanation)
        np.testing.assert_allclose(found[explanation]["loss"], loss, rtol=1e-4)


def test_labels_that_tie():
    """The sign alone cannot tell the even elements apart: one of three is right."""
    group = build_group("D3")
    basis = build_basis(group)
    sign = real_irreps(group)[1].character
    model = ARCHITECTURES["mlp"](order=6, embed_dim=12, hidden_dim=20)
    weights = textbook.random_weights(0, "mlp", 6, **SIZES["mlp"])
    params = {"params": jax.tree.map(jnp.asarray, weights)}
    sums = quick_jit(lambda params: sum_over_pairs(model, params, basis))(params)
    for function, accuracy in ((sign, 1 / 3), (-sign, 0), (0 * sign, 1 / 6)):
        function = jnp.asarray(function, jnp.float32)
        found = performance_of_function(function, function, sums, basis)
        assert found["accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize("case", rho_sets.CASES[:1])
def test_rho_sets_are_equivariant_and_constant_on_cosets(case):
    """S4's standard irrep: more than class functions, and every neuron has cosets."""
    name, irrep_name, stabiliser, _ = case
    group = build_group(name)
    _, irrep = rho_sets.irrep_of(group, irrep_name)
    vectors = rho_sets.rho_set(group, irrep, stabiliser)
    weights = rho_sets.network(irrep, vectors, np.array([0.48, -0.6, 0.64]), 5.0)
    one_layer = planted.one_layer(weights)
    sizes = {"embed_dim": group.order, "hidden_dim": len(vectors) ** 2}
    key = np.arange(len(real_irreps(group))) > 0
    found = kernels("mlp", group, **sizes)(one_layer, key)
    for explanation in ("equivariant", "coset"):
        check(found[explanation], {"accuracy": 1, "share": 1}, explanation)
    assert 0 < found["gcr"]["share"] < 0.95
    # With other elements' rows nothing of this is left.
    order = np.random.default_rng(0).permutation(group.order)
    left, right, above = weights
    shuffled = planted.one_layer((left[order], right[order], above[:, order]))
    found = kernels("mlp", group, **sizes)(shuffled, key)
    assert found["equivariant"]["share"] < 0.3


def coset_definition(group, received, side, is_live):
    """Neuron by neuron, subgroup by subgroup."""
    result, orders = received.copy(), np.ones(received.shape[1], int)
    least = np.full(received.shape[1], np.inf)
    for members in subgroups(group).members:
        size = members.sum()
        if size in (1, group.order):
            continue
        subgroup = np.flatnonzero(members)
        for j in np.flatnonzero(is_live):
            means = np.empty(group.order)
            for g in range(group.order):
                table = group.table if side == "gH" else group.table.T
                means[g] = received[table[g, subgroup], j].mean()
            within = ((received[:, j] - means) ** 2).mean()
            variance = received[:, j].var()
            if within >= 0.01 * variance or variance < 1e-20:
                continue
            if (size, -within) > (orders[j], -least[j]):
                result[:, j], orders[j], least[j] = means, size, within
    return result, orders


@pytest.mark.parametrize("name", ["S4", "D6"])
def test_coset_means(name):
    """Functions on cosets of random subgroups, with noise about the threshold."""
    group, rng = small_group(name), np.random.default_rng(0)
    found = subgroups(group)
    columns = []
    for noise in (0.0, 0.05, 0.2):
        for members in found.members:
            index = right_cosets(group, members)
            values = rng.normal(size=group.order)[index]
            columns.append(values + noise * rng.normal(size=group.order))
    left = np.stack(columns, axis=1)
    right = left[group.inverse, ::-1]  # g⁻¹ is in gH where g is in Hg
    is_live = np.ones(left.shape[1], bool)
    cosets = build_cosets(group)
    for received, moved, side in (
        (left, group.table, "Hg"),
        (right, group.table.T, "gH"),
    ):
        means, orders = coset_means(
            jnp.asarray(received, jnp.float32), jnp.asarray(moved), cosets
        )
        expected, expected_orders = coset_definition(group, received, side, is_live)
        np.testing.assert_array_equal(orders, expected_orders)
        np.testing.assert_allclose(means, expected, atol=1e-6)
        assert len(np.unique(orders)) > 2


@pytest.mark.parametrize("architecture", ["mlp", "bilinear"])
def test_coset_network(architecture):
    """Some neurons on cosets, some on none, some not live."""
    group, rng = build_group("S4"), np.random.default_rng(2)
    found, columns = subgroups(group), {}
    for side, of in (("left", right_cosets), ("right", left_cosets)):
        chosen = rng.integers(len(found.orders), size=20)
        values = [rng.normal(size=24)[of(group, found.members[k])] for k in chosen]
        columns[side] = np.stack(values, axis=1) + 0.04 * rng.normal(size=(24, 20))
    columns["left"][:, :4] *= 0.1  # not live
    above = rng.normal(size=(20, 24))
    weights = planted.one_layer((columns["left"], columns["right"], above))
    key = np.zeros(len(real_irreps(group)), bool)
    sizes = {"embed_dim": 24, "hidden_dim": 20}
    result = kernels(architecture, group, **sizes)(weights, key)["coset"]

    exact = textbook.in_float64(weights)
    left, right = np.split(exact["W"], 2)
    is_live = (left**2).sum(axis=0) >= 1
    assert 0 < is_live.sum() < 20
    new_left, of_left = coset_definition(group, left, "Hg", is_live)
    new_right, _ = coset_definition(group, right, "gH", is_live)
    assert (of_left > 1).any() and (of_left[is_live] == 1).any()
    ideal = exact | {"W": np.vstack([new_left, new_right])}
    expected = performance(
        centred_logits(architecture, group, exact),
        centred_logits(architecture, group, ideal),
        group.table,
    )
    assert 0.5 < expected["share"] < 0.9999
    check(result, expected, architecture)


def test_performance_of_the_network_itself():
    group = build_group("D5")
    for architecture, sizes in SIZES.items():
        model = ARCHITECTURES[architecture](order=group.order, **sizes)
        weights = textbook.random_weights(1, architecture, group.order, **sizes)
        basis = build_basis(group)
        params = {"params": jax.tree.map(jnp.asarray, weights)}
        tables = model.apply(params, method="tables")
        found = performance_of_tables(model, params, tables, basis)
        actual = centred_logits(architecture, group, weights)
        check(found, performance(actual, actual, group.table), architecture)
