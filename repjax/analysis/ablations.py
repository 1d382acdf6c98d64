"""Restricted and excluded losses: the network with and without its irreps.

Chughtai et al. 2023, sections 5.3 and 6 (restricted and excluded loss, ablations).
Nothing is projected pair by pair: an irrep acts on means of the hidden layer over pairs
with the same a, b or label, so its part of the logits is an n × n table.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.analysis.memory import irreps_at_once
from repjax.analysis.passes import PairSums, losses_without
from repjax.models import Model
from repjax.training.losses import cross_entropy
from repjax.typing import Array, Bool, Float, Int, Params


def ablated_losses(
    model: Model,
    params: Params,
    train_pairs: Int[Array, " train"],
    basis: Basis,
    sums: PairSums,
    key: Bool[Array, " irrep"],
) -> dict[str, Array]:
    """Compute restricted and excluded loss, of all key irreps together and of each.

    Restricted: over all pairs, the logits (P h_ab)[ab] · U alone. Excluded: over the
    training pairs, the logits (h[a, b] − (P h_ab)[ab]) · U.
    """
    logits = sums.hidden_ab @ model.apply(params, method="unembedding")
    share = sums.count / jnp.sum(sums.count)
    everyone = jnp.arange(model.order)

    def losses(selections):
        parts = _logits_of_parts(logits, selections, basis)
        excluded = losses_without(
            model, params, train_pairs, basis.labels, {"ab": parts}, residual=False
        )
        restricted = jax.lax.map(
            lambda part: jnp.dot(share, cross_entropy(part, everyone)), parts
        )
        return {"restricted_loss": restricted, "excluded_loss": excluded["ab"]}

    # Kept separate so that callers who need only the totals do not pay for the
    # per-irrep losses.
    together = losses(key.astype(jnp.float32)[None] @ basis.member)
    by_irrep = _by_irrep(losses, basis)
    return {name: loss[0] for name, loss in together.items()} | {
        f"irrep_{name}": loss for name, loss in by_irrep.items()
    }


def losses_without_directions(
    model: Model, params: Params, basis: Basis, sums: PairSums
) -> dict[str, Float[Array, " irrep"]]:
    """Loss over all pairs without the part of h~ in ρ(a), in ρ(b) or in ρ(ab)."""
    unembedding = model.apply(params, method="unembedding")
    means = {"a": sums.hidden_a, "b": sums.hidden_b, "ab": sums.hidden_ab}
    pairs = jnp.arange(model.order**2)

    def losses(selections):
        removed = {
            of: _logits_of_parts(
                (mean - sums.hidden_mean) @ unembedding, selections, basis
            )
            for of, mean in means.items()
        }
        return losses_without(
            model, params, pairs, basis.labels, removed, residual=True
        )

    return {f"without_{of}_loss": x for of, x in _by_irrep(losses, basis).items()}


def _by_irrep(
    losses: Callable[[Float[Array, "part group"]], dict[str, Float[Array, " part"]]],
    basis: Basis,
) -> dict[str, Float[Array, " irrep"]]:
    """Apply `losses` to the Fourier columns of every irrep, in batches that fit."""
    num_irreps, order = basis.member.shape
    size = irreps_at_once(order, num_irreps)
    if size == num_irreps:
        return losses(basis.member)
    turns = -(-num_irreps // size)
    padded = jnp.pad(basis.member, ((0, turns * size - num_irreps), (0, 0)))
    by_turn = jax.lax.map(losses, padded.reshape(turns, size, order))
    return jax.tree.map(lambda x: x.reshape(-1)[:num_irreps], by_turn)


def _logits_of_parts(
    logits: Float[Array, "group vocab"],
    selections: Float[Array, "part group"],
    basis: Basis,
) -> Float[Array, "part group vocab"]:
    """Return P · logits for each selection, P projecting onto its Fourier columns."""
    coefficients = basis.fourier.T @ logits
    return jax.lax.map(
        lambda columns: basis.fourier @ (columns[:, None] * coefficients), selections
    )
