"""Interventions: one network with one thing changed, and what it still gets right.

Stander et al. (ICML 2024, "Grokking Group Multiplication with Cosets") and Wu et al.
(ICLR 2025, appendix) change what the hidden layer receives and look at the accuracy.
What each explanation predicts is in `predictions`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from repjax.analysis.basis import Basis, power_by_irrep
from repjax.analysis.memory import rows_at_once
from repjax.explanations.cosets import Cosets, variance_within
from repjax.metrics import COSET_VARIANCE, NEURON_POWER
from repjax.models import Bilinear, Model, Transformer
from repjax.models.lookup import Tables, lookup
from repjax.training.losses import cross_entropy
from repjax.typing import Array, Bool, Float, Int, Key, Params

MAX_PAIRS = 2**16
"""Pairs over which an outcome is measured, at most; S6 has 518,400."""

Outcome = dict[str, Array]
Logits = Callable[[Int[Array, " pair"], Int[Array, " pair"]], Float[Array, "..."]]


def intervene(
    model: Model,
    params: Params,
    basis: Basis,
    cosets: Cosets,
    key: Key[Array, ""],
    max_pairs: int = MAX_PAIRS,
) -> dict[str, Array]:
    """Return accuracy in [0, 1] and loss in nats over pairs after each change.

    Over all pairs, or for large groups (with `MAX_PAIRS` of more than 256 elements)
    over a fixed sample of about `max_pairs`: all pairs of some elements a.

    Every name below comes with the endings `_accuracy` and `_loss`. A and B are what
    neurons receive from a and from b, of which a transformer has no exact equal: there
    they are what the position "=" receives from the positions of a and b, through
    unchanged attention weights.

    - `unchanged`: the network itself.
    - `swap`: A and B change places. The network then sees (b, a), so that an accurate
      one is right on commuting pairs alone, whatever it computes.
    - `swap_embeddings`: W_x and W_y change places and the maps from them to neurons do
      not; this is the swap of Wu et al. Not for transformers, with one embedding.
    - `negate_a`, `negate_b`, `negate_both`: −A, −B, or both.
    - `absolute`: |x| for ReLU(x). Not for the bilinear network.
    - `noise`: N(0, 1), drawn for each pair and neuron, added to what the neuron
      receives: to A + B, in the bilinear network to A and to B.
    - `without_irrep` (irrep): A and B less their projection onto the irrep; in the
      transformer the embedding of elements.
    - `without_cluster` (irrep): the live neurons that receive more from the irrep than
      from any other are 0.
    - `without_subgroup` (class): the live neurons that are constant on cosets of a
      subgroup of the class receive their mean, for every pair. A neuron counts for each
      subgroup: constant on cosets of H, it is constant on those of H's subgroups.

    `cluster_size` (irrep) and `subgroup_size` (class) count the neurons removed, and
    `commuting` is the share of pairs with the label of (b, a). Neurons are live, and
    irreps and cosets are found, by `neuron_inputs`.

    Args:
        model: the network.
        params: its weights.
        basis: of the group, and the labels.
        cosets: of the subgroups to look for, and their conjugacy classes, or other
            sets of subgroups to remove together.
        key: random key of the noise. The same key gives the same noise, however pairs
            are divided into blocks.
        max_pairs: pairs over which an outcome is measured, at most.
    """
    left, right = model.apply(params, method="neuron_inputs")
    clusters = best_irrep(left, basis)
    constant = constant_on_cosets(left, right, basis, cosets)
    measure = _over_pairs(model, params, basis, max_pairs)
    outcomes = _of_whole_tables(model, params, measure)
    outcomes |= _of_neurons(model, params, measure, key)
    unchanged = outcomes["unchanged"]

    def without_irrep(columns):
        return measure(_logits(model, _without(model, params, columns, basis)))

    def without_cluster(neurons):
        return measure(_fixed(model, params, neurons, jnp.zeros(left.shape[1])))

    def without_subgroup(neurons):
        output = _output_for_mean(model, left, right)
        return measure(_fixed(model, params, neurons, output))

    outcomes |= {
        "without_irrep": _for_each(basis.member > 0, without_irrep, unchanged),
        "without_cluster": _for_each(clusters, without_cluster, unchanged),
        "without_subgroup": _for_each(constant, without_subgroup, unchanged),
    }
    return {
        f"{name}_{of}": value
        for name, outcome in outcomes.items()
        for of, value in outcome.items()
    } | {
        "cluster_size": jnp.sum(clusters, axis=1, dtype=jnp.float32),
        "subgroup_size": jnp.sum(constant, axis=1, dtype=jnp.float32),
        "commuting": jnp.mean(basis.labels == basis.labels.T, dtype=jnp.float32),
    }


def rows_measured(order: int, max_pairs: int = MAX_PAIRS) -> Int[np.ndarray, " row"]:
    """Return the elements a whose pairs are measured: all, or a fixed random sample.

    Of S6, 91 of 720, which puts an accuracy of one half within 0.4 points.
    """
    shuffled = np.random.default_rng(0).permutation(order)
    return np.sort(shuffled[: max(1, max_pairs // order)]).astype(np.int32)


def best_irrep(
    received: Float[Array, "group hidden"], basis: Basis
) -> Bool[Array, "irrep hidden"]:
    """Return whether an irrep has the largest share of what a live neuron receives."""
    power = power_by_irrep(received, basis)
    best = jnp.argmax(power, axis=0)[None] == jnp.arange(power.shape[0])[:, None]
    return best & _is_live(received)


def constant_on_cosets(
    left: Float[Array, "group hidden"],
    right: Float[Array, "group hidden"],
    basis: Basis,
    cosets: Cosets,
) -> Bool[Array, "class hidden"]:
    """Return whether a live neuron is constant on cosets of a subgroup of each class.

    Stander et al. 2024: what it receives from a is constant on right cosets of some
    subgroup, and what it receives from b on left cosets of a conjugate subgroup.
    """

    def is_constant(received, moved):
        found = variance_within(received, moved, cosets) < COSET_VARIANCE
        return cosets.member @ found.astype(jnp.float32) > 0

    from_a = is_constant(left, basis.product)
    from_b = is_constant(right, basis.product.T)
    return from_a & from_b & _is_live(left)


def _is_live(left: Float[Array, "group hidden"]) -> Bool[Array, "1 hidden"]:
    return jnp.sum(left**2, axis=0, keepdims=True) >= NEURON_POWER


def _over_pairs(
    model: Model, params: Params, basis: Basis, max_pairs: int
) -> Callable[[Logits], Outcome]:
    """Return a function from logits of pairs to accuracy and loss, block by block."""
    order = model.order
    width = model.apply(params, method="unembedding").shape[0]
    visited = jnp.asarray(rows_measured(order, max_pairs))
    count = len(visited)
    rows = min(count, rows_at_once(order, width, jax.default_backend() == "cpu"))
    starts = jnp.arange(0, count, rows)

    def measure(logits_of):
        def visit(totals, start):
            # The last block is moved back to fit; in it, rows seen before count 0.
            place = jnp.minimum(start, count - rows) + jnp.arange(rows)
            row = visited[place]
            weight = jnp.repeat((place >= start).astype(jnp.float32), order)
            left, right = jnp.repeat(row, order), jnp.tile(jnp.arange(order), rows)
            label, logits = basis.labels[left, right], logits_of(left, right)
            sums = {
                "accuracy": jnp.dot(weight, _is_right(logits, label)),
                "loss": jnp.dot(weight, cross_entropy(logits, label, 0)),
            }
            return jax.tree.map(jnp.add, totals, sums), None

        zeros = {"accuracy": jnp.zeros(()), "loss": jnp.zeros(())}
        totals, _ = jax.lax.scan(visit, zeros, starts)
        return jax.tree.map(lambda total: total / (count * order), totals)

    return measure


def _is_right(
    logits: Float[Array, "vocab pair"], label: Int[Array, " pair"]
) -> Bool[Array, " pair"]:
    """Return whether the label has the largest logit, the first one if several do.

    As `training.losses.correct`, whose argmax takes a CPU longer than the logits take.
    """
    own = jnp.take_along_axis(logits, label[None], axis=0)
    classes = jnp.arange(logits.shape[0])[:, None]
    below = (logits < own) | ((logits == own) & (classes >= label[None]))
    return jnp.all(below, axis=0)


def _for_each(
    parts: Bool[Array, "part member"],
    remove: Callable[[Bool[Array, " member"]], Outcome],
    unchanged: Outcome,
) -> Outcome:
    """Return the outcome without each part; equal parts are removed once, empty never.

    Subgroups share neurons: of the 54 classes in S6, a trained MLP has 25 sets.
    """
    if parts.shape[0] == 0:  # a group of prime order has no subgroups to remove
        return jax.tree.map(lambda x: jnp.zeros((0,), x.dtype), unchanged)
    first = jax.lax.map(lambda p: jnp.argmax(jnp.all(parts == p[None], axis=1)), parts)

    def outcome(index):
        part = parts[index]
        is_new = jnp.any(part) & (first[index] == index)
        return jax.lax.cond(is_new, remove, lambda _: unchanged, part)

    outcomes = jax.lax.map(outcome, jnp.arange(parts.shape[0]))
    return jax.tree.map(lambda x: x[first], outcomes)


def _logits(model: Model, tables: Tables) -> Logits:
    return lambda left, right: model.logits(tables, left, right)


def _of_whole_tables(
    model: Model, params: Params, measure: Callable[[Logits], Outcome]
) -> dict[str, Outcome]:
    """Return the outcomes of changes that keep the shapes of the network's tables."""
    tables = model.apply(params, method="tables")

    def other(name):
        to = {"left": "right", "right": "left"}
        side = name.rpartition("_")[2]
        return name.removesuffix(side) + to[side] if side in to else name

    negate_a = _negated(tables, "left", "value_left")
    changed = {
        "unchanged": tables,
        "swap": {other(name): table for name, table in tables.items()},
        "negate_a": negate_a,
        "negate_b": _negated(tables, "right", "value_right"),
        "negate_both": _negated(negate_a, "right", "value_right"),
    }
    if not isinstance(model, Transformer):
        weights = params["params"]
        swapped = weights | {"W_x": weights["W_y"], "W_y": weights["W_x"]}
        changed["swap_embeddings"] = model.apply({"params": swapped}, method="tables")
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *changed.values())
    outcomes = jax.lax.map(lambda tables: measure(_logits(model, tables)), stacked)
    return {
        name: jax.tree.map(lambda x, k=k: x[k], outcomes)
        for k, name in enumerate(changed)
    }


def _negated(tables: Tables, *names: str) -> Tables:
    """Return the tables with some of them negated; names of other models are absent."""
    return {name: -x if name in names else x for name, x in tables.items()}


def _of_neurons(
    model: Model,
    params: Params,
    measure: Callable[[Logits], Outcome],
    key: Key[Array, ""],
) -> dict[str, Outcome]:
    """Return the outcomes of changes between what neurons receive and what they say."""
    tables = model.apply(params, method="tables")
    unembedding = model.apply(params, method="unembedding")
    minus = _negated(tables, "left", "right", "into_hidden", "hidden_equals")

    def draw(left, key):
        """N(0, 1) for pairs in whole rows a, from a key for each a."""

        def draw_row(a):
            shape = (model.order, unembedding.shape[0])
            return jax.random.normal(jax.random.fold_in(key, a), shape)

        noise = jax.lax.map(draw_row, left[:: model.order])
        return noise.reshape(-1, unembedding.shape[0])

    def noisy_product(left, right):
        of_a, of_b = (draw(left, k) for k in jax.random.split(key))
        from_a = lookup(tables["left"], left) + of_a
        from_b = lookup(tables["right"], right) + of_b
        return tables["readout"] @ (from_a * from_b).T

    if isinstance(model, Bilinear):
        return {"noise": measure(noisy_product)}

    def logits_with(activations):
        """L + (h' − h)·U, h' made from the neuron's ReLU(x) and ReLU(−x)."""

        def logits(left, right):
            positive = model.hidden(tables, left, right)
            changed = activations(positive, model.hidden(minus, left, right), left)
            moved = ((changed - positive) @ unembedding).T
            return model.logits(tables, left, right) + moved

        return logits

    def noisy(positive, negative, left):
        return jax.nn.relu(positive - negative + draw(left, key))

    return {
        "absolute": measure(logits_with(lambda x, minus_x, _: x + minus_x)),
        "noise": measure(logits_with(noisy)),
    }


def _without(
    model: Model, params: Params, columns: Bool[Array, " group"], basis: Basis
) -> Tables:
    """Return the tables of a network whose embeddings lack some Fourier columns."""
    weights, some = params["params"], basis.fourier * columns[None]
    names = ("W_E",) if isinstance(model, Transformer) else ("W_x", "W_y")
    elements = slice(0, model.order)
    changed = {
        name: weights[name].at[elements].add(-some @ (some.T @ weights[name][elements]))
        for name in names
    }
    return model.apply({"params": weights | changed}, method="tables")


def _output_for_mean(
    model: Model,
    left: Float[Array, "group hidden"],
    right: Float[Array, "group hidden"],
) -> Float[Array, " hidden"]:
    """Return each neuron's activation if it receives its mean over all pairs."""
    left, right = (jnp.mean(x, axis=0, keepdims=True) for x in (left, right))
    if isinstance(model, Transformer):  # whose two tables both hold the whole input
        return jax.nn.relu(left)[0]
    return model.combine(left, right)[0]


def _fixed(
    model: Model,
    params: Params,
    neurons: Bool[Array, " hidden"],
    output: Float[Array, " hidden"],
) -> Logits:
    """Return the logits if some neurons have the same output for every pair."""
    weights = params["params"]
    above = "W_out" if isinstance(model, Transformer) else "W_U"
    changed = {above: weights[above] * ~neurons[:, None]}
    tables = model.apply({"params": weights | changed}, method="tables")
    unembedding = model.apply(params, method="unembedding")
    constant = (jnp.where(neurons, output, 0.0) @ unembedding)[:, None]
    return lambda left, right: model.logits(tables, left, right) + constant
