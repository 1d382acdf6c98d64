"""Cosets of all subgroups of a group, as device arrays for the kernels."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct

from repjax.groups import Group
from repjax.groups.subgroups import left_cosets, right_cosets, subgroups


class Cosets(struct.PyTreeNode):
    """Cosets of every subgroup but the trivial one and the whole group.

    Attributes:
        right: (subgroup, group), index of the right coset Hg of each element g.
        left: (subgroup, group), index of the left coset gH.
        orders: (subgroup,), orders of the subgroups, increasing.
        member: (class, subgroup), 1 where a subgroup belongs to a conjugacy class,
            else 0.
    """

    right: Any
    left: Any
    orders: Any
    member: Any


def build_cosets(group: Group) -> Cosets:
    """Build the cosets of `group`.

    Raises:
        TooManySubgroups: the group has more than `subgroups.MAX_SUBGROUPS`.
    """
    found = subgroups(group)
    proper = np.flatnonzero((found.orders > 1) & (found.orders < group.order))
    members, classes = found.members[proper], found.class_of[proper]

    def stack(cosets) -> Any:
        rows = [cosets(group, row) for row in members]
        shape = (len(rows), group.order)
        return jnp.asarray(np.array(rows, np.int32).reshape(shape))

    return Cosets(
        right=stack(right_cosets),
        left=stack(left_cosets),
        orders=jnp.asarray(found.orders[proper], jnp.int32),
        member=jnp.asarray(np.unique(classes)[:, None] == classes, jnp.float32),
    )


def no_cosets(order: int) -> Cosets:
    """Return no cosets, for a group of this order whose subgroups are not known."""
    nothing = jnp.zeros((0, order), jnp.int32)
    none = jnp.zeros(0, jnp.int32)
    return Cosets(nothing, nothing, none, jnp.zeros((0, 0), jnp.float32))
