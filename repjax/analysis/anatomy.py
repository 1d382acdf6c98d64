"""Arrays for the figures of one network: neurons, logit maps, unembedding.

Chughtai et al. 2023, section 5. Metrics that are followed over training are in
`evaluate`.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import TRIVIAL, Basis, power_by_irrep
from repjax.analysis.clusters import assign_neurons
from repjax.analysis.evaluate import logit_map_similarity, logit_similarity
from repjax.analysis.passes import sum_over_pairs
from repjax.metrics import KEY_SIMILARITY
from repjax.models import Model
from repjax.training.losses import cross_entropy
from repjax.typing import Array, Bool, Float, Int, Params


def dissect(model: Model, params: Params, basis: Basis) -> dict[str, Array]:
    """Compute the fields of `repjax.report.story.Anatomy` for one network, except maps.

    Returns:
        By name: `in_cluster` (irrep, hidden), `is_off` (hidden), `received` (irrep,
        hidden), `hidden_power` (hidden), `unembedding` (hidden, Fourier column),
        `logit_map_distances` (irrep), the three losses in nats; and `logits_ab`
        (group, vocab), the logits h_ab·U that `logit_map` takes.
    """
    sums = sum_over_pairs(model, params, basis)
    key = (logit_similarity(sums, basis) > KEY_SIMILARITY).at[TRIVIAL].set(False)
    received, _ = model.apply(params, method="neuron_inputs")
    is_off, in_cluster = assign_neurons(received, basis)
    unembedding = model.apply(params, method="unembedding")
    likeness = logit_map_similarity(unembedding, sums, basis)
    return {
        "in_cluster": in_cluster,
        "is_off": is_off,
        "received": power_by_irrep(received, basis),
        "hidden_power": sums.hidden_power,
        "unembedding": unembedding @ basis.fourier,
        # Two maps of norm 1 with cosine c are √(2 − 2c) apart.
        "logit_map_distances": jnp.sqrt(jnp.maximum(2 - 2 * likeness, 0)),
        "logits_ab": sums.hidden_ab @ unembedding,
        "loss": jnp.mean(sums.loss),
        **losses_in_key_space(model, params, basis, key),
    }


def activation_maps(
    model: Model, params: Params, neurons: Int[Array, " neuron"]
) -> Float[Array, "neuron group group"]:
    """Return h[a, b] of the given neurons, a in rows and b in columns."""
    tables, everyone = model.apply(params, method="tables"), jnp.arange(model.order)

    def row(left):
        here = jnp.full_like(everyone, left)
        return model.hidden(tables, here, everyone)[:, neurons]

    return jnp.transpose(jax.lax.map(row, everyone), (2, 0, 1))


def logit_map(
    logits_ab: Float[Array, "group vocab"],
    matrices: Float[Array, "group dim dim"],
    inverse: Int[Array, " group"],
) -> tuple[Float[Array, "entry entry"], Float[Array, "entry entry"]]:
    """Return the map from ρ(ab) in the hidden layer to logits, and the ideal one.

    Chughtai et al. 2023, section 5.4: M·U in the entries of ρ(c⁻¹), where M = Bᵀ P h
    and B holds the entries of ρ(ab). The ideal map is that of the logits
    tr ρ(ab)ρ(c⁻¹): for real type the permutation (i, j) → (j, i), for the other types,
    whose entries are linearly dependent, its projection onto their span.

    Args:
        logits_ab: h_ab·U, or any function of the label and of c.
        matrices: ρ(g), orthogonal.
        inverse: index of g⁻¹.

    Returns:
        Both d² × d², entry (i, j) at i·d + j, rows for ρ(ab) and columns for ρ(c⁻¹);
        the map is scaled to the norm of the ideal one.
    """
    order, dim, _ = matrices.shape
    entries = matrices.reshape(order, -1)
    above = entries[inverse]
    power = jnp.mean(jnp.trace(matrices, axis1=1, axis2=2) ** 2)
    # The entries have norm √(n/d); ⟨χ, χ⟩ is 1, 2 or 4 by type.
    scale = (dim / (order * power)) ** 2
    swapped = jnp.arange(dim**2).reshape(dim, dim).T.reshape(-1)
    ideal = scale * (entries.T @ entries[:, swapped]) @ (above.T @ above)
    actual = entries.T @ logits_ab @ above
    norm = jnp.linalg.norm(actual)
    return actual * jnp.where(norm > 0, jnp.linalg.norm(ideal) / norm, 0.0), ideal


def losses_in_key_space(
    model: Model, params: Params, basis: Basis, key: Bool[Array, " irrep"]
) -> dict[str, Array]:
    """Loss over all pairs with W_U restricted to key space, and to its complement.

    Chughtai et al. 2023, section 5. W_U·P gives the logits L·P in every architecture.
    """
    columns = key.astype(jnp.float32) @ basis.member
    projection = (basis.fourier * columns[None]) @ basis.fourier.T
    tables, everyone = model.apply(params, method="tables"), jnp.arange(model.order)

    def row(left):
        label = basis.labels[left]
        logits = model.logits(tables, jnp.full_like(everyone, left), everyone).T
        inside = logits @ projection
        return {
            "key_space_loss": jnp.mean(cross_entropy(inside, label)),
            "complement_loss": jnp.mean(cross_entropy(logits - inside, label)),
        }

    return jax.tree.map(jnp.mean, jax.lax.map(row, everyone))
