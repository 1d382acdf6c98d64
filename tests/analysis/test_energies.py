"""Energies and gradients of tables, against the textbook's networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis import energies
from repjax.analysis.basis import build_basis
from repjax.analysis.energies import spectral_energies, table_gradients
from repjax.groups import build_fourier
from repjax.models import ARCHITECTURES
from tests import textbook
from tests.analysis import definitions
from tests.compilation import quick_jit
from tests.small_groups import small_group

SIZES = {
    "mlp": {"embed_dim": 5, "hidden_dim": 7},
    "bilinear": {"embed_dim": 5, "hidden_dim": 7},
    "transformer": {"num_heads": 2, "d_model": 6, "d_head": 3, "d_mlp": 8},
}


def loss_of_tables(architecture, weights, group, pairs):
    """The textbook's loss, in float64, as a function of what is added to A, B and Uᵀ.

    For the MLPs, A and B are embeddings whose W is the identity twice.
    """
    left, right = np.divmod(pairs, group.order)
    labels = group.table[left, right]

    def loss(by_left, by_right, by_above):
        if architecture == "transformer":
            # A and B are one weight, and U has a path of its own.
            elements = weights["W_E"][:-1] + by_left
            changed = weights | {"W_E": np.vstack([elements, weights["W_E"][-1:]])}
            hidden, logits = textbook.transformer(changed, left, right)
            logits = logits + hidden @ by_above.T
        else:
            a, b, above = definitions.factors(architecture, weights)
            twice = np.vstack([np.eye(a.shape[1])] * 2)
            tables = {"W_x": a + by_left, "W_y": b + by_right, "W": twice}
            tables["W_U"] = above + by_above.T
            _, logits = textbook.FORWARD[architecture](tables, left, right)
        return textbook.cross_entropy(logits, labels).mean()

    return loss


def difference(loss, tables, which, entry):
    """Central difference of the loss by one entry of one table."""
    step = 1e-5
    ends = []
    for sign in (1, -1):
        added = [np.zeros_like(table) for table in tables]
        added[which][entry] = sign * step
        ends.append(loss(*added))
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize(
    ("architecture", "name"), [("mlp", "S3"), ("bilinear", "Q8"), ("transformer", "S3")]
)
def test_energies_and_gradients_are_those_of_the_textbook(
    architecture, name, monkeypatch
):
    """In blocks of three pairs. S3 has only irreps of real type, Q8 a quaternionic."""
    monkeypatch.setattr(energies, "_BLOCK_ELEMENTS", 24)
    group, rng = small_group(name), np.random.default_rng(0)
    model = ARCHITECTURES[architecture](order=group.order, **SIZES[architecture])
    weights = textbook.random_weights(
        1, architecture, group.order, **SIZES[architecture]
    )
    params = {"params": {k: jnp.asarray(w, jnp.float32) for k, w in weights.items()}}
    pairs = np.sort(rng.permutation(group.order**2)[:20]).astype(np.int32)
    basis = build_basis(group)

    def kernel(params, pairs, basis):
        return (
            spectral_energies(model, params, pairs, basis),
            table_gradients(model, params, pairs, basis),
        )

    found, gradients = jax.device_get(quick_jit(kernel)(params, pairs, basis))
    exact = textbook.in_float64(weights)
    left, right, above = definitions.factors(architecture, exact)
    tables = left, right, above.T
    project = definitions.projections(group, build_fourier(group).characters)
    loss = loss_of_tables(architecture, exact, group, pairs)
    for which, of in enumerate(("w_a", "w_b", "w_u")):
        table, gradient = tables[which], gradients[which].astype(float)
        for kind, matrix in (("energy", table), ("gradient", gradient)):
            power = ((project @ matrix) ** 2).sum(axis=(1, 2))
            energy = found[f"{kind}_{of}"]
            np.testing.assert_allclose(energy, power, rtol=1e-4, atol=1e-9)
            assert energy.sum() == pytest.approx((matrix**2).sum(), rel=1e-5)
        if architecture == "transformer" and of == "w_b":
            np.testing.assert_array_equal(gradients[1], gradients[0])
            continue
        assert gradient.shape == table.shape
        for flat in rng.permutation(table.size)[:6]:
            entry = np.unravel_index(flat, table.shape)
            assert gradient[entry] == pytest.approx(
                difference(loss, tables, which, entry), rel=1e-3, abs=1e-6
            )
