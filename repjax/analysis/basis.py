"""Fourier basis, characters and labels of a group, as device arrays for the kernels."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct

from repjax.groups import Group, build_fourier
from repjax.tasks import pairs as data
from repjax.typing import Array, Float

TRIVIAL = 0
"""Index of the trivial irrep among the real irreps."""


class Basis(struct.PyTreeNode):
    """Real Fourier basis of a group, and the task, in float32.

    The fields have no shape annotations, since a stack of several groups' bases is a
    `Basis` too.

    Attributes:
        fourier: (group, group), orthogonal; columns grouped by irrep.
        member: (irrep, group), 1 where a column belongs to an irrep, else 0.
        characters: (irrep, group), χ_ρ(g).
        labels: (group, group), label of pair (a, b).
        product: (group, group), the multiplication table, product[g, c] = gc.
        class_of: (group,), index of the conjugacy class of each element.
    """

    fourier: Any
    member: Any
    characters: Any
    labels: Any
    product: Any
    class_of: Any


def build_basis(group: Group, task: str = "a*b") -> Basis:
    """Build the basis of `group` for the task `task`."""
    fourier = build_fourier(group)
    irreps = np.arange(len(fourier.names))[:, None]
    return Basis(
        fourier=jnp.asarray(fourier.matrix, jnp.float32),
        member=jnp.asarray(fourier.irrep_of_column == irreps, jnp.float32),
        characters=jnp.asarray(fourier.characters, jnp.float32),
        labels=jnp.asarray(data.labels(group, task)),
        product=jnp.asarray(group.table, jnp.int32),
        class_of=jnp.asarray(group.classes, jnp.int32),
    )


def pad_irreps(basis: Basis, num_irreps: int) -> Basis:
    """Return the basis padded with empty irreps, up to `num_irreps`.

    Groups of the same order can then share one compiled evaluation.
    """
    missing = ((0, num_irreps - basis.member.shape[0]), (0, 0))
    return basis.replace(
        member=jnp.pad(basis.member, missing),
        characters=jnp.pad(basis.characters, missing),
    )


def power_by_irrep(
    functions: Float[Array, "group hidden"], basis: Basis
) -> Float[Array, "irrep hidden"]:
    """‖P_ρ f‖² for each real irrep ρ and each function (column) f on G."""
    return basis.member @ (basis.fourier.T @ functions) ** 2


def fraction_explained(
    weights: Float[Array, "group hidden"], basis: Basis
) -> Float[Array, " irrep"]:
    """Share of ‖weights‖² in each real isotypic subspace, in [0, 1]; sums to 1.

    Chughtai et al. 2023, section 5.2 ("fraction of variance explained").
    """
    power = jnp.sum(power_by_irrep(weights, basis), axis=1)
    return power / jnp.sum(power)
