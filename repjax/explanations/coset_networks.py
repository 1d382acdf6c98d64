"""Idealised networks of cosets: neurons made constant on the cosets of a subgroup.

Stander et al. (ICML 2024, "Grokking Group Multiplication with Cosets").
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.explanations.cosets import Cosets, mean_over_cosets, variance_within
from repjax.explanations.idealised import performance_of_tables
from repjax.metrics import COSET_VARIANCE, NEURON_POWER
from repjax.models import Model
from repjax.models.lookup import Tables
from repjax.typing import Array, Bool, Float, Int, Params

ROUNDING = 1e-11
"""Share of the mean square that the variance of a constant may have in float32."""


def coset_performance(
    model: Model, params: Params, basis: Basis, cosets: Cosets
) -> dict[str, Array]:
    """Return accuracy, loss and share of the idealised network of cosets.

    For the MLP and the bilinear network; see `performance_of_tables`. NaN where no
    neuron is replaced, as at initialisation: it would be the network itself, and takes
    seconds for large groups.
    """
    ideal, changed = coset_tables(model, params, basis, cosets)

    def perform():
        return performance_of_tables(model, params, ideal, basis)

    blank = jax.tree.map(
        lambda x: jnp.full(x.shape, jnp.nan, x.dtype), jax.eval_shape(perform)
    )
    return jax.lax.cond(changed, perform, lambda: blank)


def coset_tables(
    model: Model, params: Params, basis: Basis, cosets: Cosets
) -> tuple[Tables, Bool[Array, ""]]:
    """Return the tables of an MLP whose live neurons are constant on cosets.

    A[:, j] of a live neuron (‖A[:, j]‖² >= 1) is replaced by its means over right
    cosets, B[:, j] by its means over left cosets, each of its own subgroup; U stays as
    it is. So do neurons that are not live, and functions without a subgroup.

    Args:
        model: MLP or bilinear network.
        params: its weights.
        basis: of the group.
        cosets: of its subgroups.

    Returns:
        The tables, and whether anything was replaced.
    """
    tables = model.apply(params, method="tables")
    is_live = jnp.sum(tables["left"] ** 2, axis=0) >= NEURON_POWER
    changed = jnp.zeros((), bool)
    for name, moved in (("left", basis.product), ("right", basis.product.T)):
        means, orders = coset_means(tables[name], moved, cosets)
        tables = tables | {name: jnp.where(is_live, means, tables[name])}
        changed |= jnp.any(is_live & (orders > 1))
    return tables, changed


def coset_means(
    received: Float[Array, "group hidden"],
    moved: Int[Array, "group group"],
    cosets: Cosets,
) -> tuple[Float[Array, "group hidden"], Int[Array, " hidden"]]:
    """Average each function over the cosets of its largest subgroup.

    That is the largest H with 1 < |H| < n for which the variance within cosets is less
    than `COSET_VARIANCE` of the variance; among subgroups of one order, the one that
    leaves least. The arguments are those of `variance_within`.

    Returns:
        The means, and the order of each function's subgroup. A function without one, or
        constant up to rounding, is returned as it is, with order 1.
    """
    nothing = jnp.ones(received.shape[1], jnp.int32)
    if cosets.orders.shape[0] == 0:
        return received, nothing
    variance = jnp.var(received, axis=0)
    is_constant = variance <= ROUNDING * jnp.mean(received**2, axis=0)
    within = variance_within(received, moved, cosets)
    fits = (within < COSET_VARIANCE) & ~is_constant[None]
    best = jnp.argmax(jnp.where(fits, cosets.orders[:, None] - within, 0.0), axis=0)
    found, orders = jnp.any(fits, axis=0), cosets.orders[best]
    means = mean_over_cosets(
        received, moved, (cosets.elements[best] / orders[:, None]).T
    )
    return jnp.where(found[None], means, received), jnp.where(found, orders, nothing)
