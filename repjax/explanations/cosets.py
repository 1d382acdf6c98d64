"""Functions on a group that are constant on the cosets of a subgroup.

The mean of f over right cosets Hg is a projection, (1/|H|)·Σ_h f(hg), and what it keeps
of ‖f‖² is (1/|H|)·Σ_h r(h), r(h) = Σ_g f(g)·f(hg). With r known for all of G, every
subgroup costs one sum: S6, with 720 elements, has 1,453 of them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from repjax.groups import Group
from repjax.groups.subgroups import subgroups
from repjax.typing import Array, Float, Int


class Cosets(struct.PyTreeNode):
    """Every subgroup but the trivial one and the whole group, as device arrays.

    Attributes:
        elements: (subgroup, group), 1 where an element belongs to a subgroup, else 0.
        orders: (subgroup,), orders of the subgroups, increasing.
        member: (class, subgroup), 1 where a subgroup belongs to a conjugacy class,
            else 0.
    """

    elements: Any
    orders: Any
    member: Any


def build_cosets(group: Group) -> Cosets:
    """Build the cosets of `group`.

    Raises:
        TooManySubgroups: the group has more than `subgroups.MAX_SUBGROUPS`.
    """
    found = subgroups(group)
    proper = (found.orders > 1) & (found.orders < group.order)
    classes = found.class_of[proper]
    return Cosets(
        elements=jnp.asarray(found.members[proper], jnp.float32),
        orders=jnp.asarray(found.orders[proper], jnp.int32),
        member=jnp.asarray(np.unique(classes)[:, None] == classes, jnp.float32),
    )


def no_cosets(order: int) -> Cosets:
    """Return no cosets, for a group of this order whose subgroups are not known."""
    none = jnp.zeros(0, jnp.int32)
    return Cosets(jnp.zeros((0, order)), none, jnp.zeros((0, 0)))


def variance_within(
    functions: Float[Array, "group hidden"],
    moved: Int[Array, "group group"],
    cosets: Cosets,
) -> Float[Array, "subgroup hidden"]:
    """Return the mean variance within cosets over the variance, in [0, 1].

    Population variances, as in Stander et al. 2024; 0 for a constant function.

    Args:
        functions: a function on G in each column.
        moved: in row h the element hg of each g for right cosets Hg, that is the
            multiplication table; its transpose, with gh, for left cosets gH.
        cosets: the subgroups.
    """
    centred = functions - jnp.mean(functions, axis=0, keepdims=True)
    correlation = jax.lax.map(
        lambda row: jnp.sum(centred * centred[row], axis=0), moved
    )
    kept = cosets.elements @ correlation / cosets.orders[:, None]
    total = jnp.sum(centred**2, axis=0, keepdims=True)
    return jnp.where(total > 0, 1 - kept / jnp.where(total > 0, total, 1.0), 0.0)


def mean_over_cosets(
    functions: Float[Array, "group hidden"],
    moved: Int[Array, "group group"],
    weights: Float[Array, "group hidden"],
) -> Float[Array, "group hidden"]:
    """Return Σ_h w(h)·f(hg) for each function f.

    Its mean over the right cosets Hg if w is 1/|H| on H and 0 elsewhere; over left ones
    with `moved` as in `variance_within`.
    """

    def add(total, step):
        row, weight = step
        return total + weight[None] * functions[row], None

    return jax.lax.scan(add, jnp.zeros_like(functions), (moved, weights))[0]
