"""Idealised networks: the logits that rival explanations allow, and how they perform.

Chughtai et al. 2023 (GCR) allow class functions of label·c⁻¹, Wu et al. (ICLR 2025)
functions of a⁻¹·c·b⁻¹. Both logits are a function on G, moved by the pair: every pair
has the same logits in another order, thus one loss and one margin. No pass over pairs
is needed besides the first. Defined in docs/explanations.md.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.analysis.memory import rows_at_once
from repjax.analysis.passes import PairSums
from repjax.models import Model
from repjax.models.lookup import Tables
from repjax.training.losses import correct, cross_entropy
from repjax.typing import Array, Bool, Float, Params

TIE = 1e-5
"""Logits are tied if they differ by less than this, relative to the largest."""


def gcr_performance(
    sums: PairSums, basis: Basis, key: Bool[Array, " irrep"]
) -> dict[str, Array]:
    """Return accuracy, loss and share of the logits' projection on key characters.

    Chughtai et al. 2023: L~[a, b, c] = f(label·c⁻¹), f a sum of the characters of key
    irreps. For every architecture and task; see `performance_of_function`.
    """
    order = basis.labels.shape[0]
    centred = sums.logits_ab - jnp.mean(sums.logits_ab, axis=1, keepdims=True)
    # Entry (g, c) is logit c of the label gc, for which label·c⁻¹ = g.
    by_quotient = jnp.take_along_axis(centred, basis.product, axis=0)
    means = jnp.sum(by_quotient, axis=1) / order**2
    power = jnp.sum(basis.characters**2, axis=1)
    # Irreps that pad a shorter basis have character 0.
    scale = basis.characters @ means / jnp.where(power > 0, power, 1.0)
    function = jnp.where(key, scale, 0.0) @ basis.characters
    return performance_of_function(function, means, sums, basis)


def equivariant_performance(sums: PairSums, basis: Basis) -> dict[str, Array]:
    """Return accuracy, loss and share of the logits' bi-equivariant projection.

    Wu et al. 2025: L~[a, b, c] = φ(a⁻¹·c·b⁻¹). For every architecture and the task a*b.
    """
    function = sums.equivariant / basis.labels.shape[0] ** 2
    return performance_of_function(function, function, sums, basis)


def performance_of_function(
    function: Float[Array, " group"],
    means: Float[Array, " group"],
    sums: PairSums,
    basis: Basis,
) -> dict[str, Array]:
    """Return accuracy, loss and share of logits that are a function on G of a triple.

    Args:
        function: value for each element, e for the triples whose c is the label.
        means: mean of the network's L~ over the n² triples (a, b, c) of each element.
        sums: the first pass over pairs.
        basis: of the group.

    Returns:
        `accuracy` over all pairs in [0, 1]: 1 or 0, 1/k where the label ties with k − 1
        others; `loss` over all pairs in nats; `share`, 1 − ‖L~ − ideal‖²/‖L~‖², at most
        1: of the logits as they are, with no scale fitted.
    """
    order = basis.labels.shape[0]
    identity = jnp.argmax(jnp.diagonal(basis.product) == jnp.arange(order))
    largest = jnp.max(function) - TIE * jnp.max(jnp.abs(function))
    is_first = function >= largest
    explained = 2 * function @ means - function @ function
    return {
        "accuracy": is_first[identity] / jnp.sum(is_first),
        "loss": cross_entropy(function[None], identity[None])[0],
        "share": order**2 * explained / sums.logits_power,
    }


def performance_of_tables(
    model: Model, params: Params, ideal: Tables, basis: Basis
) -> dict[str, Array]:
    """Return accuracy, loss and share of a network with other tables, over all pairs.

    Args:
        model: the network.
        params: its weights.
        ideal: tables of the idealised network, as `model.tables` returns them.
        basis: of the group and task.

    Returns:
        As `performance_of_function`; pairs with ties count as correct or not by the
        first largest logit.
    """
    order = model.order
    tables, everyone = model.apply(params, method="tables"), jnp.arange(order)

    def row(left):
        label, here = basis.labels[left], jnp.full_like(everyone, left)
        actual, idealised = (
            logits - jnp.mean(logits, axis=1, keepdims=True)
            for logits in (
                model.logits(network, here, everyone).T for network in (tables, ideal)
            )
        )
        return {
            "accuracy": jnp.mean(correct(idealised, label)),
            "loss": jnp.mean(cross_entropy(idealised, label)),
            "error": jnp.sum((actual - idealised) ** 2),
            "power": jnp.sum(actual**2),
        }

    width = model.apply(params, method="unembedding").shape[0]
    batch = rows_at_once(order, width, jax.default_backend() == "cpu")
    rows = jax.lax.map(row, everyone, batch_size=batch)
    return {
        "accuracy": jnp.mean(rows["accuracy"]),
        "loss": jnp.mean(rows["loss"]),
        "share": 1 - jnp.sum(rows["error"]) / jnp.sum(rows["power"]),
    }
