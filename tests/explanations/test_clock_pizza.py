"""Clock and pizza: networks built by hand, and the formulas of Zhong et al. again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis.basis import build_basis
from repjax.explanations.clock_pizza import (
    clock_or_pizza,
    distance_irrelevance,
    gradient_symmetricity,
    input_symmetricity,
    label_logits,
)
from repjax.groups import build_group
from repjax.models import Bilinear, Mlp, Transformer
from tests import textbook
from tests.compilation import quick_jit

ARCHITECTURES = {Mlp: "mlp", Bilinear: "bilinear", Transformer: "transformer"}


def tied_network(order: int, frequency: int, kind: type, noise: float = 0.0):
    """A pizza (MLP) or a clock (bilinear) of one frequency, on a shared embedding.

    E[g] = (cos wg, sin wg). The pizza's neurons are ±ReLUs of cos(wa + φ) + cos(wb + φ)
    for 8 phases φ; the clock's are products of cosines and sines, which it adds up to
    cos w(a + b) and sin w(a + b). What it reads from these is off by `noise`.
    """
    angle = 2 * np.pi * frequency * np.arange(order) / order
    embedding = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if kind is Mlp:
        phases = np.pi * np.arange(8) / 8
        half = np.stack([np.cos(phases), -np.sin(phases)])
        left = right = np.hstack([half, -half])
        above = np.tile(np.cos(angle[None] + 2 * phases[:, None]), (2, 1))
    else:
        left = np.array([[1, 0, 1, 0], [0, 1, 0, 1]])
        right = np.array([[1, 0, 0, 1], [0, 1, 1, 0]])
        read = embedding + noise * np.random.default_rng(0).normal(size=(order, 2))
        above = np.array([[1, 0], [-1, 0], [0, 1], [0, 1]]) @ read.T
    return {
        "W_x": embedding,
        "W_y": embedding,
        "W": np.vstack([left, right]),
        "W_U": above,
    }


def random_weights(kind: type, order: int):
    sizes = {"embed_dim": 7, "hidden_dim": 9}
    if kind is Transformer:
        sizes = {"num_heads": 2, "d_model": 6, "d_head": 3, "d_mlp": 8}
    rng = np.random.default_rng(1)
    shapes = textbook.shapes(ARCHITECTURES[kind], order, **sizes)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def on_device(weights):
    return {"params": {name: jnp.float32(w) for name, w in weights.items()}}


def model_of(kind: type, weights, order: int):
    if kind is Transformer:
        heads, d_model, d_head = weights["W_Q"].shape
        sizes = {"num_heads": heads, "d_model": d_model, "d_head": d_head}
        return Transformer(order=order, **sizes, d_mlp=weights["W_in"].shape[1])
    hidden = weights["W"].shape[1]
    return kind(order=order, embed_dim=weights["W_x"].shape[1], hidden_dim=hidden)


def measure(kind: type, weights, order: int):
    model, basis = model_of(kind, weights, order), build_basis(build_group(f"C{order}"))
    kernel = quick_jit(lambda p, k: clock_or_pizza(model, p, basis, k))
    return jax.device_get(kernel(on_device(weights), jax.random.key(0)))


def test_pizza():
    """|cos w(a − b)/2|·cos w(a + b − c): the label's logit depends on a − b alone."""
    weights = tied_network(59, 7, Mlp)
    a, b = np.divmod(np.arange(59**2), 59)
    _, logits = textbook.mlp(weights, a, b)
    w, c = 2 * np.pi * 7 / 59, np.arange(59)
    ideal = np.abs(np.cos(w * (a - b) / 2))[:, None] * np.cos(
        w * (a + b)[:, None] - w * c
    )
    cosine = (logits * ideal).sum() / np.sqrt((logits**2).sum() * (ideal**2).sum())
    assert cosine > 0.999
    measures = measure(Mlp, weights, 59)
    assert measures["distance_irrelevance"] < 0.05
    np.testing.assert_allclose(measures["gradient_symmetricity"], 1, rtol=1e-5)
    np.testing.assert_allclose(measures["input_symmetricity"], 1, rtol=1e-5)


def test_clock():
    """For L = cos w(a + b − c), ∂L_c/∂E_a and ∂L_c/∂E_b are at an angle of w(a − b)."""
    weights = tied_network(59, 7, Bilinear, noise=0.1)
    measures = measure(Bilinear, weights, 59)
    # The label's logit depends on a + b alone.
    np.testing.assert_allclose(measures["distance_irrelevance"], 1, atol=1e-4)

    exact = tied_network(59, 7, Bilinear)
    triples = np.random.default_rng(2).integers(59, size=(40, 3))
    model = model_of(Bilinear, exact, 59)
    symmetricity = gradient_symmetricity(model, on_device(exact), jnp.int32(triples))
    expected = np.cos(2 * np.pi * 7 / 59 * (triples[:, 0] - triples[:, 1])).mean()
    np.testing.assert_allclose(symmetricity, expected, atol=1e-5)
    assert abs(measures["gradient_symmetricity"]) < 0.3


@pytest.mark.parametrize("spread_of_sum", [0.5, 3.0])
def test_distance_irrelevance_of_a_sum(spread_of_sum):
    """Of M[s, d] = f(s) + g(d) it is std f / √(var f + var g), not std g / the same."""
    rng = np.random.default_rng(0)
    f, g = spread_of_sum * rng.normal(size=31), rng.normal(size=31)
    expected = f.std() / np.sqrt(f.var() + g.var())
    by_distance = jnp.float32(f[None] + g[:, None])
    np.testing.assert_allclose(distance_irrelevance(by_distance), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("order", [7, 8])
def test_label_logits_are_those_of_pairs(kind, order):
    weights = random_weights(kind, order)
    a, b = np.divmod(np.arange(order**2), order)
    _, logits = textbook.FORWARD[ARCHITECTURES[kind]](weights, a, b)
    label = logits[np.arange(order**2), (a + b) % order].reshape(order, order)
    model, basis = model_of(kind, weights, order), build_basis(build_group(f"C{order}"))
    with jax.default_matmul_precision("highest"):
        rows = label_logits(model, on_device(weights), basis)
    for d in range(order):
        expected = [label[(d + b) % order, b] for b in range(order)]
        np.testing.assert_allclose(rows[d], expected, rtol=1e-4, atol=1e-4)

    def entries(distance):
        """Every entry of column d of M that has a pair, once for each pair."""
        return [x for (i, j), x in np.ndenumerate(label) if (i - j) % order == distance]

    table = np.array([entries(d) for d in range(order)])
    if order % 2:
        matrix = np.full((order, order), np.nan)
        matrix[(a + b) % order, (a - b) % order] = label.reshape(-1)
        expected = np.std(matrix, axis=0).mean() / np.std(matrix)
    else:
        expected = np.std(table, axis=1).mean() / np.std(table)
    np.testing.assert_allclose(distance_irrelevance(rows), expected, rtol=1e-4)


def numerical_gradients(kind: type, weights, triple):
    """∂L_c/∂E_a and ∂L_c/∂E_b by central differences, with a row for each factor."""
    a, b, c = triple
    names = ("W_E", "W_E") if kind is Transformer else ("W_x", "W_y")
    rows = np.stack([weights[names[0]][a], weights[names[1]][b]])
    forward = textbook.FORWARD[ARCHITECTURES[kind]]

    def logit(rows):
        if kind is Transformer:
            changed = {"W_E": np.vstack([rows, weights["W_E"][-1]])}
        else:
            changed = {"W_x": rows, "W_y": rows}
        return forward(weights | changed, np.array([0]), np.array([1]))[1][0, c]

    gradient = np.zeros(rows.shape)
    for index in np.ndindex(rows.shape):
        step = np.zeros(rows.shape)
        step[index] = 1e-6
        gradient[index] = (logit(rows + step) - logit(rows - step)) / 2e-6
    return gradient


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_gradient_symmetricity_is_its_definition(kind):
    weights, order = random_weights(kind, 7), 7
    triples = np.array([(0, 1, 2), (1, 0, 2), (3, 3, 5), (6, 2, 0), (5, 1, 1)])
    cosines = []
    for triple in triples:
        of_a, of_b = numerical_gradients(kind, weights, triple)
        cosines.append(of_a @ of_b / np.linalg.norm(of_a) / np.linalg.norm(of_b))
    model = model_of(kind, weights, order)
    with jax.default_matmul_precision("highest"):
        actual = gradient_symmetricity(model, on_device(weights), jnp.int32(triples))
    np.testing.assert_allclose(actual, np.mean(cosines), atol=2e-4)


def test_input_symmetricity_of_products():
    """In the bilinear network the gradients are B[b] ⊙ U[:, c] and A[a] ⊙ U[:, c]."""
    weights = random_weights(Bilinear, 7)
    upper, lower = np.split(weights["W"], 2)
    left, right = weights["W_x"] @ upper, weights["W_y"] @ lower
    triples = np.array([(0, 1, 2), (3, 3, 5), (6, 2, 0)])
    cosines = []
    for a, b, c in triples:
        of_a, of_b = right[b] * weights["W_U"][:, c], left[a] * weights["W_U"][:, c]
        cosines.append(of_a @ of_b / np.linalg.norm(of_a) / np.linalg.norm(of_b))
    model = model_of(Bilinear, weights, 7)
    actual = input_symmetricity(model, on_device(weights), jnp.int32(triples))
    np.testing.assert_allclose(actual, np.mean(cosines), atol=1e-4)


def test_measures_of_each_architecture():
    assert "input_symmetricity" in measure(Mlp, random_weights(Mlp, 7), 7)
    weights = random_weights(Transformer, 8)
    measures = measure(Transformer, weights, 8)
    assert set(measures) == {"distance_irrelevance", "gradient_symmetricity"}
    assert 0 < measures["distance_irrelevance"] <= 1
