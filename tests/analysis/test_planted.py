"""Planted irreps are found, alone, whole, and with the shares that they must have."""

from functools import cache
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis.basis import build_basis
from repjax.analysis.evaluate import evaluate
from repjax.groups import Group, real_irreps
from repjax.metrics import KEY_SIMILARITY
from repjax.models import Bilinear, Mlp, Transformer
from tests.analysis import planted
from tests.compilation import quick_jit
from tests.small_groups import small_group

MULTIPLICITY = {"real": 1, "complex": 2, "quaternionic": 4}
# C_n and D_n, n odd and even, S_n, A_n with a complex pair, a quaternionic table.
GROUPS = ("C7", "C8", "D5", "D6", "S4", "A4", "Q8")
RELU_NETWORKS = [
    *((name, Mlp) for name in ("C8", "D6", "S4", "A4", "Q8")),
    *((name, Transformer) for name in ("D6", "S4", "Q8")),
]


def nontrivial(group: Group) -> dict[str, int]:
    """Name → m = ⟨χ, χ⟩ of every non-trivial irrep."""
    return {irrep.name: MULTIPLICITY[irrep.type] for irrep in real_irreps(group)[1:]}


def equal_norms(group: Group, names) -> dict[str, float]:
    """Scales for which all these characters have one norm."""
    return {name: 1.5 / nontrivial(group)[name] ** 0.5 for name in names}


def signs(group: Group) -> tuple[str, ...]:
    """The non-trivial irreps with values ±1."""
    return tuple(irrep.name for irrep in real_irreps(group)[1:] if irrep.dim == 1)


def dims(group: Group, names) -> np.ndarray:
    """The dimension of each real irrep that is named, 0 for the others."""
    return np.array([irrep.dim * (irrep.name in names) for irrep in real_irreps(group)])


def weights_of(kind: type, group: Group, scales) -> planted.Weights:
    """One network with these irreps."""
    if kind is Transformer:
        return planted.transformer(group, scales)
    units = planted.product_units(group, scales)
    return planted.one_layer(planted.relu_units(units) if kind is Mlp else units)


@cache
def evaluator(kind: type, name: str):
    """Weights → metrics, for one network on one group, compiled once."""
    group = small_group(name)
    example = weights_of(kind, group, {})
    if kind is Transformer:
        sizes = dict(
            zip(("num_heads", "d_model", "d_head"), example["W_Q"].shape, strict=True)
        )
        sizes["d_mlp"] = example["W_in"].shape[1]
    else:
        sizes = {"embed_dim": group.order, "hidden_dim": example["W"].shape[1]}
    model, basis = kind(order=group.order, **sizes), build_basis(group)
    # Any pairs will do: where the logits are exact, all have the same loss.
    pairs = jnp.arange(0, group.order**2, 3)
    kernel = quick_jit(lambda params: evaluate(model, params, pairs, basis))
    return lambda weights: jax.device_get(kernel({"params": weights}))


def plant(kind: type, name: str, scales) -> dict[str, np.ndarray]:
    """Metrics of the network with these irreps."""
    metrics = evaluator(kind, name)(weights_of(kind, small_group(name), scales))
    for metric, value in metrics.items():
        assert not metric.startswith("fve_") or 0 <= value <= 1, metric
    return metrics


def key_irreps(name: str, metrics) -> set[str]:
    names = [irrep.name for irrep in real_irreps(small_group(name))]
    similarity = metrics["logit_similarity"]
    return {n for n, s in zip(names, similarity, strict=True) if s > KEY_SIMILARITY}


def choices(names) -> list[tuple[str, ...]]:
    """Each irrep alone, some pairs, and all of them."""
    names = tuple(names)
    pairs = list(combinations(names, 2))[:3]
    return list(dict.fromkeys([*((name,) for name in names), *pairs, names]))


def assert_close(actual, expected, what, **tolerance):
    tolerance = tolerance or {"atol": 2e-6}
    np.testing.assert_allclose(actual, expected, err_msg=str(what), **tolerance)


def check_exact_logits(name: str, scales, metrics):
    """What follows from L = Σ scales·χ(abc⁻¹), in whatever network."""
    group = small_group(name)
    assert key_irreps(name, metrics) == set(scales)
    names = [irrep.name for irrep in real_irreps(group)]
    norms = np.array(
        [scales.get(n, 0) * nontrivial(group).get(n, 0) ** 0.5 for n in names]
    )
    similarity = norms / np.sqrt((norms**2).sum())
    assert_close(metrics["logit_similarity"], similarity, scales)
    assert_close(metrics["fve_logits"], 1, scales)

    loss = planted.character_loss(group, scales)
    for metric in ("train_loss", "test_loss", "restricted_loss"):
        assert_close(metrics[metric], loss, metric, rtol=2e-5)
    assert_close(metrics["excluded_loss"], np.log(group.order), scales, rtol=2e-6)
    for n, alone, excluded, ablated, likeness in zip(
        names,
        metrics["irrep_restricted_loss"],
        metrics["irrep_excluded_loss"],
        metrics["without_ab_loss"],
        metrics["logit_map_similarity"],
        strict=True,
    ):
        one = {n: scales[n]} if n in scales else {}
        rest = {other: scales[other] for other in scales if other != n}
        assert_close(alone, planted.character_loss(group, one), n, rtol=2e-5)
        for without in (excluded, ablated):
            assert_close(without, planted.character_loss(group, rest), n, rtol=2e-5)
        assert n not in scales or abs(likeness - 1) < 2e-6


@pytest.mark.parametrize("name", GROUPS)
def test_bilinear_network_of_characters(name):
    group = small_group(name)
    for names in choices(nontrivial(group)):
        scales = equal_norms(group, names)
        metrics = plant(Bilinear, name, scales)
        check_exact_logits(name, scales, metrics)
        d = dims(group, names)
        for metric in ("irrep_fve_w_a", "irrep_fve_w_b"):
            assert_close(metrics[metric], d**2 / (d**2).sum(), names)
        for metric in ("fve_w_a", "fve_w_b", "fve_w_u"):
            assert_close(metrics[metric], 1, names)
        # ρ(a)_ij ρ(b)_jk has no part in functions of a or of b alone; its mean over
        # the pairs with ab = c is ρ(c)_ik/d, with 1/d of its square.
        assert_close(metrics["hidden_a"], 0, names)
        assert_close(metrics["hidden_b"], 0, names)
        assert_close(metrics["hidden_ab"], (d > 0) / d.sum(), names)
        assert_close(metrics["fve_mlp"], len(names) / d.sum(), names)
        assert_close(metrics["fve_mlp_ab"], len(names) / d.sum(), names)
        for metric in ("without_a_loss", "without_b_loss"):
            loss = planted.character_loss(group, scales)
            assert_close(metrics[metric], loss, names, rtol=2e-5)


@pytest.mark.parametrize("name", GROUPS)
def test_neurons_of_the_bilinear_network_cluster_by_irrep(name):
    """d³ units for each planted irrep, with 1/d of their power in ρ(ab); others off."""
    group = small_group(name)
    all_units = (dims(group, nontrivial(group)) ** 3).sum()
    for names in choices(nontrivial(group)):
        metrics = plant(Bilinear, name, equal_norms(group, names))
        d = dims(group, names)
        np.testing.assert_array_equal(metrics["cluster_neurons"], d**3)
        assert metrics["neurons_off"] == all_units - (d**3).sum()
        assert metrics["neurons_disagreeing"] == 0
        assert_close(metrics["cluster_a"], 0, names)
        assert_close(metrics["cluster_b"], 0, names)
        assert_close(metrics["cluster_ab"], (d > 0) / np.maximum(d, 1), names)


@pytest.mark.parametrize("name", GROUPS)
def test_regular_character_solves_the_task(name):
    """Σ (d/m)·χ without the trivial irrep is n − 1 at the identity, else −1."""
    group = small_group(name)
    scales = {
        irrep.name: irrep.dim / MULTIPLICITY[irrep.type]
        for irrep in real_irreps(group)[1:]
    }
    metrics = plant(Bilinear, name, scales)
    check_exact_logits(name, scales, metrics)
    loss = np.log1p((group.order - 1) * np.exp(-float(group.order)))
    assert_close(metrics["test_loss"], loss, name, rtol=2e-5)
    assert metrics["train_accuracy"] == metrics["test_accuracy"] == 1


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kind in RELU_NETWORKS if name != "A4"]
)
def test_relu_networks_of_signs(name, kind):
    """For x, y = ±1 a ReLU is (1 ± x ± y ± xy)/2: three thirds, as in the paper."""
    group = small_group(name)
    for names in choices(signs(group)):
        scales = equal_norms(group, names)
        metrics = plant(kind, name, scales)
        check_exact_logits(name, scales, metrics)
        share = dims(group, names) / len(names)
        for metric in ("irrep_fve_w_a", "irrep_fve_w_b", "irrep_fve_w_u"):
            assert_close(metrics[metric], share, names)
        for metric in ("hidden_a", "hidden_b", "hidden_ab"):
            assert_close(metrics[metric], share / 3, names)
        for metric in ("cluster_a", "cluster_b", "cluster_ab"):
            assert_close(metrics[metric], (share > 0) / 3, names)
        np.testing.assert_array_equal(
            metrics["cluster_neurons"], 4 * dims(group, names)
        )
        assert_close(metrics["fve_mlp"], 1, names)
        assert_close(metrics["fve_mlp_ab"], 1 / 3, names)


@pytest.mark.parametrize(("name", "kind"), RELU_NETWORKS)
def test_relu_networks_embed_what_is_planted(name, kind):
    """ReLUs multiply entries of larger irreps roughly: found, but not exact logits."""
    group = small_group(name)
    for names in choices(nontrivial(group)):
        metrics = plant(kind, name, equal_norms(group, names))
        assert key_irreps(name, metrics) == set(names)
        for metric in ("fve_w_a", "fve_w_b", "fve_w_u"):
            assert_close(metrics[metric], 1, names)
        # d² entries make d³ units, and in the transformer d² columns of the embedding.
        power = dims(group, names) ** (1 if kind is Transformer else 2)
        for metric in ("irrep_fve_w_a", "irrep_fve_w_b"):
            assert_close(metrics[metric], power / power.sum(), names)


def test_planted_transformer_is_the_planted_mlp():
    group = small_group("D6")
    scales = equal_norms(group, nontrivial(group))
    as_mlp, as_transformer = (plant(kind, "D6", scales) for kind in (Mlp, Transformer))
    for metric in ("test_loss", "logit_similarity", "hidden_ab", "irrep_excluded_loss"):
        assert_close(as_transformer[metric], as_mlp[metric], metric)
