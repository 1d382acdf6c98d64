"""Idealised networks of cosets: neurons made constant on the cosets of a subgroup.

Stander et al. (ICML 2024, "Grokking Group Multiplication with Cosets").
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis
from repjax.explanations.idealised import performance_of_tables
from repjax.metrics import COSET_VARIANCE, NEURON_POWER
from repjax.models import Model
from repjax.models.lookup import Tables, sum_by_index
from repjax.typing import Array, Float, Int, Params

ROUNDING = 1e-11
"""Share of the mean square that the variance of a constant may have in float32."""


def coset_performance(
    model: Model,
    params: Params,
    basis: Basis,
    right_cosets: Int[Array, "subgroup group"],
    left_cosets: Int[Array, "subgroup group"],
) -> dict[str, Array]:
    """Return accuracy, loss and share of the idealised network of cosets.

    For the MLP and the bilinear network; see `performance_of_tables`.
    """
    ideal = coset_tables(model, params, right_cosets, left_cosets)
    return performance_of_tables(model, params, ideal, basis)


def coset_tables(
    model: Model,
    params: Params,
    right_cosets: Int[Array, "subgroup group"],
    left_cosets: Int[Array, "subgroup group"],
) -> Tables:
    """Return the tables of an MLP whose live neurons are constant on cosets.

    A[:, j] of a live neuron (‖A[:, j]‖² >= 1) is replaced by its means over right
    cosets, B[:, j] by its means over left cosets, each of its own subgroup; U stays as
    it is. So do neurons that are not live, and functions without a subgroup.

    Args:
        model: MLP or bilinear network.
        params: its weights.
        right_cosets: index of the coset Hg of each element, for every subgroup H.
        left_cosets: the same of gH.
    """
    tables = model.apply(params, method="tables")
    is_live = jnp.sum(tables["left"] ** 2, axis=0) >= NEURON_POWER
    cosets = {"left": right_cosets, "right": left_cosets}
    means = {name: coset_means(tables[name], of)[0] for name, of in cosets.items()}
    return tables | {
        name: jnp.where(is_live, values, tables[name]) for name, values in means.items()
    }


def coset_means(
    received: Float[Array, "group hidden"], cosets: Int[Array, "subgroup group"]
) -> tuple[Float[Array, "group hidden"], Int[Array, " hidden"]]:
    """Average each function over the cosets of its largest subgroup.

    That is the largest H with 1 < |H| < n for which the variance within cosets is less
    than `COSET_VARIANCE` of the variance; among subgroups of one order, the one that
    leaves least.

    Args:
        received: a function on G in each column.
        cosets: index of the coset of each element, from 0, for every subgroup. Rows
            that number the elements one by one, as padding may, change nothing.

    Returns:
        The means, and the order of each function's subgroup. A function without one, or
        constant up to rounding, is returned as it is, with order 1.
    """
    order = received.shape[0]
    variance = jnp.var(received, axis=0)
    is_constant = variance <= ROUNDING * jnp.mean(received**2, axis=0)

    def visit(best, index):
        means, orders, within = best
        size = jnp.sum(index == 0)
        new_means = (sum_by_index(received, index, order) / size)[index]
        new_within = jnp.mean((received - new_means) ** 2, axis=0)
        larger = (size > orders) | ((size == orders) & (new_within < within))
        better = larger & (size > 1) & (size < order)
        better &= (new_within < COSET_VARIANCE * variance) & ~is_constant
        return (
            jnp.where(better, new_means, means),
            jnp.where(better, size, orders),
            jnp.where(better, new_within, within),
        ), None

    nothing = jnp.ones(received.shape[1], jnp.int32)
    start = (received, nothing, jnp.zeros_like(variance))
    (means, orders, _), _ = jax.lax.scan(visit, start, cosets)
    return means, orders
