"""Interventions against float64 networks, and against the predictions they test.

The planted networks are the explanations themselves: ρ-sets of S4 and D5, which are
coset networks too, since each vector has a stabiliser, and characters (GCR).
"""

from functools import cache

import jax
import numpy as np
import pytest

from repjax.analysis.basis import build_basis
from repjax.explanations.cosets import build_cosets
from repjax.explanations.interventions import intervene
from repjax.explanations.predictions import (
    PREDICTIONS,
    REMOVAL_CASES,
    SWAP_CASES,
    predict,
)
from repjax.groups import real_irreps
from repjax.groups.subgroups import subgroups
from repjax.models import Bilinear, Mlp, Transformer
from tests import textbook
from tests.analysis import planted
from tests.compilation import quick_jit
from tests.small_groups import small_group

KEY = jax.random.key(5)
ARCHITECTURES = {Mlp: "mlp", Bilinear: "bilinear", Transformer: "transformer"}


@cache
def kernel(kind: type, name: str, sizes: tuple):
    group = small_group(name)
    model, basis = kind(order=group.order, **dict(sizes)), build_basis(group)
    cosets = build_cosets(group)
    run = quick_jit(lambda p, k: intervene(model, p, basis, cosets, k))
    return lambda weights, key=KEY: jax.device_get(run({"params": weights}, key))


def outcomes_of(kind: type, name: str, weights, key=KEY):
    if kind is Transformer:
        heads, d_model, d_head = weights["W_Q"].shape
        sizes = {"num_heads": heads, "d_model": d_model, "d_head": d_head}
        sizes["d_mlp"] = weights["W_in"].shape[1]
    else:
        embed, hidden = weights["W_x"].shape[1], weights["W"].shape[1]
        sizes = {"embed_dim": embed, "hidden_dim": hidden}
    return kernel(kind, name, tuple(sizes.items()))(weights, key)


def random_weights(kind: type, order: int, seed: int = 0):
    """Weights with distinct scales for a and b, so that no change is the other."""
    sizes = {"embed_dim": 7, "hidden_dim": 9}
    if kind is Transformer:
        sizes = {"num_heads": 2, "d_model": 6, "d_head": 3, "d_mlp": 8}
    rng = np.random.default_rng(seed)
    shapes = textbook.shapes(ARCHITECTURES[kind], order, **sizes)
    return {name: np.float32(rng.normal(size=shape)) for name, shape in shapes.items()}


def orbit(irrep, stabiliser: int) -> np.ndarray:
    """The set that ρ makes of a vector with a fixing subgroup of this order."""
    group = small_group({24: "S4", 10: "D5"}[len(irrep.matrices)])
    found = subgroups(group)
    for members in found.members[found.orders == stabiliser]:
        fixed = irrep.matrices[members].mean(axis=0)
        if np.trace(fixed) > 0.5:
            vector = fixed @ np.linspace(1, 2, irrep.dim)
            moved = irrep.matrices @ (vector / np.linalg.norm(vector))
            _, first = np.unique(np.round(moved, 6), axis=0, return_index=True)
            return moved[first]
    raise AssertionError("no vector is fixed")


def rho_set_network(irrep, stabiliser: int, scale: float = 5.0) -> planted.Weights:
    """−Σ u·ρ(c)v · ReLU(u·ρ(a)w − w·ρ(b)v) over all pairs u, v of the set."""
    vectors, matrices = orbit(irrep, stabiliser), irrep.matrices
    w = np.arange(1.0, irrep.dim + 1) ** 1.5
    u, v = (x.ravel() for x in np.indices((len(vectors),) * 2))
    left = np.einsum("ui,gij,j->gu", vectors, matrices, w)[:, u]
    right = -np.einsum("i,gij,vj->gv", w, matrices, vectors)[:, v]
    above = -np.einsum("ui,gij,vj->uvg", vectors, matrices, vectors)
    return planted.one_layer((left, right, scale * above.reshape(len(u), -1)))


# Each change as float64 NumPy makes it -------------------------------------------


def by_definition(kind: type, name: str, weights, noise) -> dict[str, np.ndarray]:
    """Logits (n, n, c) after each change of the MLP or the bilinear network."""
    group = small_group(name)
    w = textbook.in_float64(weights)
    upper, lower = np.split(w["W"], 2)
    left, right, above = w["W_x"] @ upper, w["W_y"] @ lower, w["W_U"]

    def act(a, b, function=lambda x: np.maximum(x, 0)):
        return a * b if kind is Bilinear else function(a + b)

    def logits(a, b, **options):
        return act(a[:, None], b[None], **options) @ above

    made = {
        "unchanged": logits(left, right),
        "swap": logits(right, left),
        "swap_embeddings": logits(w["W_y"] @ upper, w["W_x"] @ lower),
        "negate_a": logits(-left, right),
        "negate_b": logits(left, -right),
        "negate_both": logits(-left, -right),
    }
    if kind is Mlp:
        made["absolute"] = logits(left, right, function=np.abs)
        made["noise"] = act(left[:, None] + noise[0], right[None]) @ above
    else:
        made["noise"] = act(left[:, None] + noise[0], right[None] + noise[1]) @ above

    irreps = real_irreps(group)
    scale = [i.dim / np.round((i.character**2).mean()) / group.order for i in irreps]
    quotient = group.table[:, group.inverse]
    project = [s * i.character[quotient] for s, i in zip(scale, irreps, strict=True)]
    for k, p in enumerate(project):
        made[f"without_irrep {k}"] = logits(left - p @ left, right - p @ right)
    live = (left**2).sum(axis=0) >= 1
    best = np.argmax([((p @ left) ** 2).sum(axis=0) for p in project], axis=0)
    hidden = act(left[:, None], right[None])
    for k in range(len(irreps)):
        made[f"without_cluster {k}"] = (hidden * ~(live & (best == k))) @ above
    fixed = act(left.mean(axis=0), right.mean(axis=0))
    for k, neurons in enumerate(constant_neurons(group, left, right)):
        changed = np.where(neurons & live, fixed, hidden)
        made[f"without_subgroup {k}"] = changed @ above
    return made


def constant_neurons(group, left, right) -> list[np.ndarray]:
    """Of each class of subgroups, the neurons constant on cosets of a member."""

    def is_constant(column, cosets):
        within = [np.var(column[list(coset)]) for coset in cosets]
        return np.mean(within) < 0.01 * np.var(column)

    found = subgroups(group)
    proper = [k for k, m in enumerate(found.orders) if 1 < m < group.order]
    by_class: dict[int, list] = {}
    for k in proper:
        members = np.flatnonzero(found.members[k])
        of_a = {frozenset(group.table[members, g]) for g in range(group.order)}
        of_b = {frozenset(group.table[g, members]) for g in range(group.order)}
        constant = [
            [is_constant(column, cosets) for column in table.T]
            for table, cosets in ((left, of_a), (right, of_b))
        ]
        by_class.setdefault(int(found.class_of[k]), []).append(constant)
    return [np.all(np.any(c, axis=0), axis=0) for _, c in sorted(by_class.items())]


def noise_of(kind: type, order: int, width: int):
    """The noise of `intervene`: rows a from fold_in(key, a)."""
    keys = jax.random.split(KEY) if kind is Bilinear else [KEY]
    rows = [[jax.random.fold_in(k, a) for a in range(order)] for k in keys]
    return np.array(
        [[jax.random.normal(k, (order, width)) for k in row] for row in rows]
    )


def check(outcomes, made, group):
    for name, logits in made.items():
        of, _, index = name.partition(" ")
        flat = logits.reshape(group.order**2, -1)
        label = group.table.reshape(-1)
        expected = {
            "accuracy": (flat.argmax(axis=1) == label).mean(),
            "loss": textbook.cross_entropy(flat, label).mean(),
        }
        for measure, value in expected.items():
            actual = outcomes[f"{of}_{measure}"]
            actual = actual[int(index)] if index else actual
            np.testing.assert_allclose(
                actual, value, rtol=3e-5, atol=3e-6, err_msg=name
            )


@pytest.mark.parametrize("kind", [Mlp, Bilinear])
@pytest.mark.parametrize("name", ["S4", "C8"])
def test_every_change_is_its_definition(kind, name):
    group = small_group(name)
    weights = random_weights(kind, group.order)
    # Three neurons constant on cosets of a subgroup, and of its subgroups; one off.
    found = subgroups(group)
    members = found.members[np.flatnonzero(found.orders == 4)[-1]]
    upper, lower = np.split(np.float64(weights["W"]), 2)
    left, right = weights["W_x"] @ upper, weights["W_y"] @ lower
    left[:, :4] = left[group.table[np.flatnonzero(members)], :4].mean(axis=0)
    right[:, 1:5] = right[group.table[:, np.flatnonzero(members)], 1:5].mean(axis=1)
    left *= np.where(np.arange(9) == 5, 0.01, 3)
    weights = planted.one_layer((left, right, weights["W_U"]))
    outcomes = outcomes_of(kind, name, weights)
    noise = noise_of(kind, group.order, left.shape[1])
    check(outcomes, by_definition(kind, name, weights, noise), group)
    assert outcomes["cluster_size"].sum() == 8
    assert outcomes["subgroup_size"].max() == 3
    assert ("absolute_loss" in outcomes) == (kind is Mlp)
    commuting = (group.table == group.table.T).mean()
    np.testing.assert_allclose(outcomes["commuting"], commuting, rtol=1e-6)


def test_transformer_that_is_an_mlp():
    """It attends to a and b alone, so that every change is that of the MLP."""
    group = small_group("D6")
    scales = {irrep.name: 1.0 for irrep in real_irreps(group)[1:4]}
    units = planted.relu_units(planted.product_units(group, scales))
    as_mlp = outcomes_of(Mlp, "D6", planted.one_layer(units))
    as_transformer = outcomes_of(Transformer, "D6", planted.transformer(group, scales))
    assert set(as_mlp) - set(as_transformer) == {
        "swap_embeddings_accuracy",
        "swap_embeddings_loss",
    }
    for name, value in as_transformer.items():
        np.testing.assert_allclose(
            value, as_mlp[name], rtol=2e-4, atol=2e-5, err_msg=name
        )


def test_swapped_transformer_sees_the_other_pair():
    group = small_group("D5")
    weights = random_weights(Transformer, group.order, seed=3)
    outcomes = outcomes_of(Transformer, "D5", weights)
    b, a = np.divmod(np.arange(group.order**2), group.order)
    _, logits = textbook.transformer(textbook.in_float64(weights), a, b)
    loss = textbook.cross_entropy(logits, group.table[b, a]).mean()
    np.testing.assert_allclose(outcomes["swap_loss"], loss, rtol=2e-5)


def test_noise_depends_on_its_key_alone(monkeypatch):
    group = small_group("S4")
    weights = random_weights(Mlp, group.order)
    first = outcomes_of(Mlp, "S4", weights)
    again = outcomes_of(Mlp, "S4", weights)
    other = outcomes_of(Mlp, "S4", weights, jax.random.key(6))
    np.testing.assert_array_equal(first["noise_loss"], again["noise_loss"])
    assert first["noise_loss"] != other["noise_loss"]
    # In blocks of 5 rows, the last of which overlaps, nothing changes but rounding.
    where = "repjax.explanations.interventions.rows_at_once"
    monkeypatch.setattr(where, lambda *_: 5)
    kernel.cache_clear()
    in_blocks = outcomes_of(Mlp, "S4", weights)
    kernel.cache_clear()
    for name, value in first.items():
        np.testing.assert_allclose(in_blocks[name], value, rtol=1e-5, err_msg=name)


def test_of_equal_logits_the_first_is_the_answer():
    weights = random_weights(Mlp, 7)
    outcomes = outcomes_of(Mlp, "C7", weights | {"W_U": 0 * weights["W_U"]})
    np.testing.assert_allclose(outcomes["unchanged_accuracy"], 1 / 7, rtol=1e-6)


def test_group_without_subgroups():
    outcomes = outcomes_of(Mlp, "C7", random_weights(Mlp, 7))
    assert outcomes["without_subgroup_loss"].shape == (0,)
    assert np.isfinite(outcomes["without_irrep_loss"]).all()


# The table of predictions ---------------------------------------------------------


def test_table_of_predictions_is_complete():
    assert set(PREDICTIONS) | {"unchanged"} == {
        name.removesuffix("_accuracy")
        for name in outcomes_of(Mlp, "C7", random_weights(Mlp, 7))
        if name.endswith("_accuracy")
    }
    for name, row in PREDICTIONS.items():
        assert set(row) == {"gcr", "cosets", "rho_sets"}
        for prediction in row.values():
            cases = SWAP_CASES if name == "swap" else REMOVAL_CASES
            assert tuple(prediction.outcomes) in (("always",), cases)
            assert set(prediction.outcomes.values()) <= {
                "unchanged", "destroyed", "open",
            }  # fmt: skip
            assert prediction.reason.endswith(".") and len(prediction.reason) < 160


def check_prediction(explanation, name, case, before, after):
    match predict(name, explanation, case):
        case "unchanged":
            assert after == before, name
        case "destroyed":
            assert after <= 0.625, name


def check_predictions(explanation, group, outcomes, used):
    """A network that is the explanation does what the explanation predicts.

    Args:
        explanation: name in the table.
        group: the group.
        outcomes: of `intervene`.
        used: the irreps in use, by index.
    """
    before = outcomes["unchanged_accuracy"]
    abelian = (group.table == group.table.T).all()
    for name in PREDICTIONS:
        after = outcomes.get(f"{name}_accuracy")
        if name == "swap":
            check_prediction(explanation, name, SWAP_CASES[not abelian], before, after)
            np.testing.assert_allclose(after, outcomes["commuting"], rtol=1e-6)
        elif after is not None and after.ndim == 0:
            check_prediction(explanation, name, "always", before, after)
    live = outcomes["cluster_size"].sum()
    irreps = range(len(outcomes["cluster_size"]))
    for name, size in (
        ("without_irrep", [live / len(used) * (k in used) for k in irreps]),
        ("without_cluster", outcomes["cluster_size"]),
        ("without_subgroup", outcomes["subgroup_size"]),
    ):
        for after, n in zip(outcomes[f"{name}_accuracy"], size, strict=True):
            case = REMOVAL_CASES[0 if n == live else 1 if n else 2]
            check_prediction(explanation, name, case, before, after)


@pytest.mark.parametrize(
    ("name", "irrep", "stabiliser"),
    [("S4", "standard", 6), ("S4", "standard_sign", 4), ("D5", "freq_1", 2)],
)
def test_network_of_one_rho_set_does_as_predicted(name, irrep, stabiliser):
    """A tetrahedron, an octahedron, which is symmetric, and a pentagon.

    They are coset networks too: A[a] depends on ρ(a)⁻¹u, so on the coset Hg alone.
    """
    group = small_group(name)
    names = [i.name for i in real_irreps(group)]
    index = names.index(irrep)
    weights = rho_set_network(real_irreps(group)[index], stabiliser)
    outcomes = outcomes_of(Mlp, name, weights)
    assert outcomes["unchanged_accuracy"] == 1
    # |x| doubles the logits, and both signs leave them alone, to the last digits.
    np.testing.assert_allclose(
        outcomes["negate_both_loss"], outcomes["unchanged_loss"], rtol=1e-4
    )
    assert outcomes["absolute_loss"] < outcomes["unchanged_loss"]
    assert outcomes["negate_a_accuracy"] == outcomes["negate_b_accuracy"] == 0
    for explanation in ("rho_sets", "cosets"):
        check_predictions(explanation, group, outcomes, {index})
    assert outcomes["subgroup_size"].max() == outcomes["cluster_size"][index]


@pytest.mark.parametrize("name", ["S4", "Q8", "C8"])
def test_bilinear_network_of_characters_does_as_gcr_predicts(name):
    group = small_group(name)
    irreps = real_irreps(group)
    multiplicity = {"real": 1, "complex": 2, "quaternionic": 4}
    scales = {i.name: 2.0 * i.dim / multiplicity[i.type] for i in irreps[1:]}
    weights = planted.one_layer(planted.product_units(group, scales))
    outcomes = outcomes_of(Bilinear, name, weights)
    assert outcomes["unchanged_accuracy"] == 1
    check_predictions("gcr", group, outcomes, set(range(1, len(irreps))))
    faithful = max(irreps, key=lambda irrep: irrep.dim)
    alone = planted.product_units(group, {faithful.name: 4.0})
    outcomes = outcomes_of(Bilinear, name, planted.one_layer(alone))
    used = [i.name for i in irreps].index(faithful.name)
    check_predictions("gcr", group, outcomes, {used})
    assert outcomes["without_irrep_accuracy"][used] < 0.5
