"""All quantities of the paper for one network, from its weights.

Chughtai et al. 2023, sections 4 and 5; every name is defined in docs/metrics.md.
"""

import jax.numpy as jnp
import optax

from repjax.analysis.ablations import ablated_losses, losses_without_directions
from repjax.analysis.basis import TRIVIAL, Basis, fraction_explained, power_by_irrep
from repjax.analysis.clusters import neuron_clusters
from repjax.analysis.explained import explained_shares
from repjax.analysis.passes import PairSums, sum_over_pairs
from repjax.metrics import KEY_SIMILARITY
from repjax.models import Model
from repjax.tasks.pairs import is_train
from repjax.typing import Array, Bool, Float, Int, Params


def evaluate(
    model: Model, params: Params, train_pairs: Int[Array, " train"], basis: Basis
) -> dict[str, Array]:
    """Return every metric of `repjax.metrics` for one network, `PER_IRREP` by irrep.

    Key irreps are those of the given weights. Shares are in [0, 1], losses in nats,
    averaged over pairs.
    """
    sums = sum_over_pairs(model, params, basis)
    similarity = logit_similarity(sums, basis)
    nontrivial = jnp.ones(similarity.shape, bool).at[TRIVIAL].set(False)
    key = (similarity > KEY_SIMILARITY) & nontrivial

    left, right = model.apply(params, method="factors")
    inputs_a, inputs_b = model.apply(params, method="neuron_inputs")
    unembedding = model.apply(params, method="unembedding")
    by_irrep = {
        "logit_similarity": similarity,
        "logit_map_similarity": logit_map_similarity(unembedding, sums, basis),
        "irrep_fve_w_a": fraction_explained(left, basis),
        "irrep_fve_w_b": fraction_explained(right, basis),
        "irrep_fve_w_u": fraction_explained(unembedding.T, basis),
        **hidden_shares(sums, basis),
    }
    hidden = by_irrep["hidden_a"] + by_irrep["hidden_b"] + by_irrep["hidden_ab"]
    return {
        **accuracy_and_loss(sums, is_train(train_pairs, model.order)),
        **ablated_losses(model, params, train_pairs, basis, sums, key),
        **losses_without_directions(model, params, basis, sums),
        **neuron_clusters(inputs_a, inputs_b, sums, basis),
        **explained_shares(sums, basis),
        **by_irrep,
        "fve_logits": total_share(similarity**2, nontrivial),
        "fve_w_a": total_share(by_irrep["irrep_fve_w_a"], key),
        "fve_w_b": total_share(by_irrep["irrep_fve_w_b"], key),
        "fve_w_u": total_share(by_irrep["irrep_fve_w_u"], key),
        "fve_mlp": total_share(hidden, key),
        "fve_mlp_ab": total_share(by_irrep["hidden_ab"], key),
        "weight_norm_sq": optax.tree.norm(params, squared=True),
    }


def total_share(
    shares: Float[Array, " irrep"], of: Bool[Array, " irrep"]
) -> Float[Array, ""]:
    """Sum the shares of some irreps, capped at 1 because rounding may exceed it."""
    return jnp.minimum(jnp.dot(of, shares), 1.0)


def logit_similarity(sums: PairSums, basis: Basis) -> Float[Array, " irrep"]:
    """cos(vec L~, vec T_ρ) with T_ρ[a, b, c] = χ_ρ(ab·c⁻¹), in [−1, 1].

    Chughtai et al. 2023, section 4.2. T_ρ depends on the pair through its label only,
    so L~ enters through its sum over the pairs of each label; ‖T_ρ‖ is n·‖χ_ρ‖.
    """
    order = basis.labels.shape[0]
    centred = sums.logits_ab - jnp.mean(sums.logits_ab, axis=1, keepdims=True)
    # Entry (g, c) is logit c of the label gc, for which label·c⁻¹ = g.
    by_quotient = jnp.take_along_axis(centred, basis.product, axis=0)
    overlap = basis.characters @ jnp.sum(by_quotient, axis=1)
    norm = order * jnp.linalg.norm(basis.characters, axis=1)
    # Irreps that pad a shorter basis have character 0: their similarity is 0.
    cosine = overlap / jnp.where(norm > 0, norm, 1.0) / jnp.sqrt(sums.logits_power)
    return jnp.where(norm > 0, cosine, 0.0)


def logit_map_similarity(
    unembedding: Float[Array, "hidden vocab"], sums: PairSums, basis: Basis
) -> Float[Array, " irrep"]:
    """Cosine between the map from ρ(ab) in the hidden layer to logits and its ideal.

    Chughtai et al. 2023, section 5.4. In representation basis the map has d² × d²
    entries for each irrep, from the entries of ρ(ab) to those of ρ(c). Its logits are
    tr ρ(ab)ρ(c⁻¹) if it is a multiple of the identity (a permutation, if columns are
    written as entries of ρ(c⁻¹)). Returns its cosine with the identity, in [−1, 1].
    """
    basis_map = basis.fourier.T @ (sums.hidden_ab @ unembedding) @ basis.fourier
    overlap = basis.member @ jnp.diagonal(basis_map)
    power = jnp.einsum("rj,jk,rk->r", basis.member, basis_map**2, basis.member)
    return overlap / jnp.sqrt(jnp.sum(basis.member, axis=1) * power)


def hidden_shares(sums: PairSums, basis: Basis) -> dict[str, Float[Array, " irrep"]]:
    """Share of ‖h~‖² in functions of a, of b and of the label in each irrep, in [0, 1].

    0 for the trivial irrep: h~ has no mean.
    """
    order, total = basis.labels.shape[0], jnp.sum(sums.hidden_power)
    means = {
        "hidden_a": sums.hidden_a,
        "hidden_b": sums.hidden_b,
        "hidden_ab": sums.hidden_ab,
    }
    return {
        name: (order * jnp.sum(power_by_irrep(mean, basis), axis=1) / total)
        .at[TRIVIAL]
        .set(0.0)
        for name, mean in means.items()
    }


def accuracy_and_loss(
    sums: PairSums, train: Bool[Array, "group group"]
) -> dict[str, Array]:
    """Return mean loss and accuracy on training pairs and on all other pairs.

    Where every pair trains, the means over no test pair are 0/0, NaN: blank in tables.
    """
    metrics = {}
    for name, mask in (("train", train), ("test", ~train)):
        total = jnp.sum(mask)
        metrics[f"{name}_loss"] = jnp.sum(sums.loss * mask) / total
        metrics[f"{name}_accuracy"] = jnp.sum(sums.correct & mask) / total
    return metrics
