"""All quantities of the paper for one network, from its weights.

Chughtai et al. 2023, sections 4 and 5; every name is defined in docs/metrics.md.
Nothing is projected pair by pair: an irrep acts on means of the hidden layer over pairs
with the same a, b or label, and the logits it stands for are functions of the label
alone, n × n numbers per irrep.
"""

import jax
import jax.numpy as jnp
import optax

from repjax.analysis.basis import TRIVIAL, Basis, fraction_explained, power_by_irrep
from repjax.analysis.passes import PairSums, excluded_losses, sum_over_pairs
from repjax.data import is_train
from repjax.losses import cross_entropy
from repjax.metrics import KEY_SIMILARITY
from repjax.models import Model
from repjax.typing import Array, Bool, Float, Int, Params


def evaluate(
    model: Model, params: Params, train_pairs: Int[Array, " train"], basis: Basis
) -> dict[str, Array]:
    """Every metric of `repjax.metrics` for one network; `PER_IRREP` by irrep.

    The key irreps are those of the network as it is. Shares are in [0, 1], losses in
    nats, averaged over pairs.
    """
    sums = sum_over_pairs(model, params, basis.labels)
    similarity = logit_similarity(sums, basis)
    key = (similarity > KEY_SIMILARITY).at[TRIVIAL].set(False)

    left, right = model.apply(params, method="factors")
    unembedding = model.apply(params, method="unembedding")
    shares = {
        "logit_similarity": similarity,
        "irrep_fve_w_a": fraction_explained(left, basis),
        "irrep_fve_w_b": fraction_explained(right, basis),
        "irrep_fve_w_u": fraction_explained(unembedding.T, basis),
        **hidden_shares(sums, basis),
    }
    hidden = shares["hidden_a"] + shares["hidden_b"] + shares["hidden_ab"]
    return {
        **accuracy_and_loss(sums, is_train(train_pairs, model.order)),
        **ablated_losses(model, params, train_pairs, basis, sums, key),
        **shares,
        "fve_logits": jnp.sum(similarity**2) - similarity[TRIVIAL] ** 2,
        "fve_w_a": jnp.dot(key, shares["irrep_fve_w_a"]),
        "fve_w_b": jnp.dot(key, shares["irrep_fve_w_b"]),
        "fve_w_u": jnp.dot(key, shares["irrep_fve_w_u"]),
        "fve_mlp": jnp.dot(key, hidden),
        "fve_mlp_ab": jnp.dot(key, shares["hidden_ab"]),
        "weight_norm_sq": optax.tree.norm(params, squared=True),
    }


def logit_similarity(sums: PairSums, basis: Basis) -> Float[Array, " irrep"]:
    """cos(vec L~, vec T_ρ) with T_ρ[a, b, c] = χ_ρ(ab·c⁻¹), in [−1, 1].

    Chughtai et al. 2023, section 4.2. T_ρ depends on the pair through its label only,
    so L~ enters through its sum over the pairs of each label; ‖T_ρ‖ is n·‖χ_ρ‖.
    """
    order = basis.labels.shape[0]
    centred = sums.logits_ab - jnp.mean(sums.logits_ab, axis=1, keepdims=True)
    # At (g, c) the logit c of the label gc, for which label·c⁻¹ is g.
    by_quotient = jnp.take_along_axis(centred, basis.product, axis=0)
    overlap = basis.characters @ jnp.sum(by_quotient, axis=1)
    norm = order * jnp.linalg.norm(basis.characters, axis=1)
    return overlap / (norm * jnp.sqrt(sums.logits_power))


def hidden_shares(sums: PairSums, basis: Basis) -> dict[str, Float[Array, " irrep"]]:
    """Share of ‖h~‖² in functions of a, of b and of the label in each irrep, in [0, 1].

    0 for the trivial irrep: h~ has no mean.
    """
    order = basis.labels.shape[0]
    means = {
        "hidden_a": sums.hidden_a,
        "hidden_b": sums.hidden_b,
        "hidden_ab": sums.hidden_ab,
    }
    return {
        name: (order * power_by_irrep(mean, basis) / sums.hidden_power)
        .at[TRIVIAL]
        .set(0.0)
        for name, mean in means.items()
    }


def accuracy_and_loss(
    sums: PairSums, train: Bool[Array, "group group"]
) -> dict[str, Array]:
    """Mean loss and accuracy of the network itself on training and on other pairs."""
    metrics = {}
    for name, mask in (("train", train), ("test", ~train)):
        total = jnp.sum(mask)
        metrics[f"{name}_loss"] = jnp.sum(sums.loss * mask) / total
        metrics[f"{name}_accuracy"] = jnp.sum(sums.correct & mask) / total
    return metrics


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
    unembedding = model.apply(params, method="unembedding")
    coefficients = (basis.fourier.T @ sums.hidden_ab) @ unembedding
    selections = jnp.concatenate(
        [key.astype(jnp.float32)[None] @ basis.member, basis.member]
    )

    def logits_of(columns):
        return basis.fourier @ (columns[:, None] * coefficients)

    parts = jax.lax.map(logits_of, selections)
    share = sums.count / jnp.sum(sums.count)
    everyone = jnp.arange(model.order)
    restricted = jax.lax.map(
        lambda part: jnp.dot(share, cross_entropy(part, everyone)), parts
    )
    excluded = excluded_losses(model, params, train_pairs, basis.labels, parts)
    return {
        "restricted_loss": restricted[0],
        "irrep_restricted_loss": restricted[1:],
        "excluded_loss": excluded[0],
        "irrep_excluded_loss": excluded[1:],
    }
