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
        class_of: (subgroup,), index of the conjugacy class of each subgroup.
    """

    right: Any
    left: Any
    orders: Any
    class_of: Any


def build_cosets(group: Group) -> Cosets:
    """Build the cosets of `group`.

    Raises:
        TooManySubgroups: the group has more than `subgroups.MAX_SUBGROUPS`.
    """
    found = subgroups(group)
    proper = np.flatnonzero((found.orders > 1) & (found.orders < group.order))
    members = found.members[proper]

    def stack(cosets) -> Any:
        rows = [cosets(group, row) for row in members]
        shape = (len(rows), group.order)
        return jnp.asarray(np.array(rows, np.int32).reshape(shape))

    return Cosets(
        right=stack(right_cosets),
        left=stack(left_cosets),
        orders=jnp.asarray(found.orders[proper], jnp.int32),
        class_of=jnp.asarray(found.class_of[proper], jnp.int32),
    )
