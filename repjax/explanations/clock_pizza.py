"""Clock or pizza: two measures that tell apart algorithms for addition modulo n.

Zhong et al. (NeurIPS 2023, "The Clock and the Pizza"), section 4. A clock multiplies
its two inputs and gives logits cos w(a + b − c); a pizza adds them first and gives
|cos w(a − b)/2|·cos w(a + b − c). Only for cyclic groups.
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.models import Model, Transformer
from repjax.typing import Array, Float, Int, Key, Params, Scalar

NUM_TRIPLES = 100
"""Triples (a, b, c) that Zhong et al. sample for gradient symmetricity."""


def clock_or_pizza(
    model: Model, params: Params, basis: Basis, key: Key[Array, ""]
) -> dict[str, Scalar]:
    """Return the measures of one network on a cyclic group, for the task a*b.

    Args:
        model: the network.
        params: its weights.
        basis: of a cyclic group of at least 2 elements.
        key: random key of the sampled triples.

    Returns:
        `distance_irrelevance`, `gradient_symmetricity` and, for the MLP and the
        bilinear network, `input_symmetricity`. Zhong et al. report 0.17 and 0.99 for
        their pizza, 0.85 and 0.33 for their clock.
    """
    triples = jax.random.randint(key, (NUM_TRIPLES, 3), 0, model.order)
    measures = {
        "distance_irrelevance": distance_irrelevance(
            label_logits(model, params, basis)
        ),
        "gradient_symmetricity": gradient_symmetricity(model, params, triples),
    }
    if not isinstance(model, Transformer):
        measures["input_symmetricity"] = input_symmetricity(model, params, triples)
    return measures


def label_logits(
    model: Model, params: Params, basis: Basis
) -> Float[Array, "group group"]:
    """Return the logit of the label of the pair (d + b, b), d in rows, b in columns.

    A row holds the n pairs with a − b = d. If n is odd, their sums a + b = d + 2b are
    all elements, each once: row d is column d of the matrix M[s, d] of Zhong et al.,
    in another order. If n is even, a + b and a − b are both even or both odd, and half
    of M has no pair; a row then holds each sum of the parity of d twice, for the pairs
    (a, b) and (a + n/2, b + n/2).
    """
    tables, everyone = model.apply(params, method="tables"), jnp.arange(model.order)

    def row(left):
        logits = model.logits(tables, left, everyone)
        label = basis.labels[left, everyone]
        return jnp.take_along_axis(logits, label[None], axis=0)[0]

    return jax.lax.map(row, basis.product)


def distance_irrelevance(logits: Float[Array, "distance pair"]) -> Scalar:
    """Return the mean over d of the std within row d, divided by the std of all.

    Zhong et al. 2023, section 4.2. In [0, 1]; low if the label's logit depends on the
    distance d, as in a pizza; NaN if it is exactly the same for all pairs. Standard
    deviations are those of the population.
    """
    return jnp.mean(jnp.std(logits, axis=1)) / jnp.std(logits)


def gradient_symmetricity(
    model: Model, params: Params, triples: Int[Array, "triple 3"]
) -> Scalar:
    """Return the mean over triples (a, b, c) of cos(∂L_c/∂E_a, ∂L_c/∂E_b).

    Zhong et al. 2023, section 4.2; E_a and E_b are the embeddings of a and b, which
    count apart even where a = b. In [−1, 1]; near 1 in a pizza.

    The transformer ties the two embeddings, as theirs does. The other networks have
    two, whose coordinates are unrelated: a rotation of all W_y[b], with its inverse in
    W, changes this number and not the network. It compares coordinate i of W_x[a] with
    coordinate i of W_y[b] all the same, and is 0 on average for random embeddings. For
    those networks see also `input_symmetricity`.
    """
    weights = params["params"]
    tied = isinstance(model, Transformer)
    names = ("W_E", "W_E") if tied else ("W_x", "W_y")
    first, second = jnp.zeros(1, jnp.int32), jnp.ones(1, jnp.int32)

    def logit(embedded_a, embedded_b, c):
        # As elements 0 and 1, so that a pair (a, a) has two embeddings too.
        changed = {names[0]: weights[names[0]].at[0].set(embedded_a)}
        of_b = (weights | changed)[names[1]].at[1].set(embedded_b)
        changed = {"params": weights | changed | {names[1]: of_b}}
        tables = model.apply(changed, method="tables")
        return model.logits(tables, first, second)[c, 0]

    def cosine(triple):
        a, b, c = triple
        embedded = (weights[names[0]][a], weights[names[1]][b])
        return _cosine(*jax.grad(logit, argnums=(0, 1))(*embedded, c))

    return jnp.mean(jax.lax.map(cosine, triples))


def input_symmetricity(
    model: Model, params: Params, triples: Int[Array, "triple 3"]
) -> Scalar:
    """Return the mean over triples of cos(∂L_c/∂A[a], ∂L_c/∂B[b]).

    Gradient symmetricity at the input of the hidden layer, the first place where both
    factors have the same coordinates, those of neurons; not for transformers. In
    [−1, 1], and free of the choice of a basis of the embeddings. Exactly 1 for the MLP:
    a ReLU of a sum cannot tell A from B, as Zhong et al. observe for pizzas.
    """
    tables = model.apply(params, method="tables")
    first = jnp.zeros(1, jnp.int32)

    def logit(from_a, from_b, c):
        changed = tables | {"left": from_a[None], "right": from_b[None]}
        return model.logits(changed, first, first)[c, 0]

    def cosine(triple):
        a, b, c = triple
        received = (tables["left"][a], tables["right"][b])
        return _cosine(*jax.grad(logit, argnums=(0, 1))(*received, c))

    return jnp.mean(jax.lax.map(cosine, triples))


def _cosine(x: Float[Array, " embed"], y: Float[Array, " embed"]) -> Scalar:
    """Return cos(x, y), 0 if one of them is 0."""
    norms = jnp.linalg.norm(x) * jnp.linalg.norm(y)
    return jnp.where(norms > 0, jnp.dot(x, y) / jnp.where(norms > 0, norms, 1.0), 0.0)
