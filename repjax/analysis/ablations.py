"""What the network loses without its irreps, and what it keeps with them alone.

Chughtai et al. 2023, sections 5.3 and 6 (restricted and excluded loss, ablations).
Nothing is projected pair by pair: an irrep acts on means of the hidden layer over pairs
with the same a, b or label, and the logits it stands for are n × n tables.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.analysis.passes import PairSums, losses_without
from repjax.losses import cross_entropy
from repjax.models import Model
from repjax.typing import Array, Bool, Float, Int, Params


def ablated_losses(
    model: Model,
    params: Params,
    train_pairs: Int[Array, " train"],
    basis: Basis,
    sums: PairSums,
    key: Bool[Array, " irrep"],
) -> dict[str, Array]:
    """Restricted and excluded loss for all key irreps together and for each irrep.

    Restricted: over all pairs, the logits (P h_ab)[ab] · U alone. Excluded: over the
    training pairs, the logits (h[a, b] − (P h_ab)[ab]) · U.
    """
    together = key.astype(jnp.float32)[None] @ basis.member
    selections = jnp.concatenate([together, basis.member])
    unembedding = model.apply(params, method="unembedding")
    parts = _logits_of_parts(sums.hidden_ab @ unembedding, selections, basis)
    share = sums.count / jnp.sum(sums.count)
    everyone = jnp.arange(model.order)
    restricted = jax.lax.map(
        lambda part: jnp.dot(share, cross_entropy(part, everyone)), parts
    )

    def excluded(parts):
        return losses_without(
            model, params, train_pairs, basis.labels, {"ab": parts}, residual=False
        )["ab"]

    return {
        "restricted_loss": restricted[0],
        "irrep_restricted_loss": restricted[1:],
        # Apart, so that who wants the first alone need not wait for every irrep.
        "excluded_loss": excluded(parts[:1])[0],
        "irrep_excluded_loss": excluded(parts[1:]),
    }


def losses_without_directions(
    model: Model, params: Params, basis: Basis, sums: PairSums
) -> dict[str, Float[Array, " irrep"]]:
    """Loss over all pairs without the part of h~ in ρ(a), in ρ(b) or in ρ(ab)."""
    unembedding = model.apply(params, method="unembedding")
    means = {"a": sums.hidden_a, "b": sums.hidden_b, "ab": sums.hidden_ab}
    removed = {
        of: _logits_of_parts(
            (mean - sums.hidden_mean) @ unembedding, basis.member, basis
        )
        for of, mean in means.items()
    }
    pairs = jnp.arange(model.order**2)
    losses = losses_without(model, params, pairs, basis.labels, removed, residual=True)
    return {f"without_{of}_loss": loss for of, loss in losses.items()}


def _logits_of_parts(
    logits: Float[Array, "group vocab"],
    selections: Float[Array, "part group"],
    basis: Basis,
) -> Float[Array, "part group vocab"]:
    """P · logits, P projecting onto the Fourier columns that each selection names."""
    coefficients = basis.fourier.T @ logits
    return jax.lax.map(
        lambda columns: basis.fourier @ (columns[:, None] * coefficients), selections
    )
