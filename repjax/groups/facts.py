"""What is known of a group: its structure in numbers and words."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool

from repjax.groups.automorphisms import automorphism_group, orbits_of_characters
from repjax.groups.group import Group
from repjax.groups.identify import LARGEST_COMPARED, are_isomorphic, identify
from repjax.groups.irreps import real_irreps
from repjax.groups.library import Entry
from repjax.groups.linear import LINEAR, linear_group_order
from repjax.groups.names import MAX_DEGREE, build_group

LARGEST_FIELD = 32
"""Largest field of a linear group of order up to `LARGEST_COMPARED`: AGL(1,32)."""


@dataclass(frozen=True)
class IrrepFacts:
    """One real irrep.

    Attributes:
        name: as in tables.
        dim: real dimension.
        type: real, complex or quaternionic.
        kernel: number of elements that act as the identity; 1: it is faithful.
        orbit: index of its orbit under the automorphisms, by first irrep.
    """

    name: str
    dim: int
    type: str
    kernel: int
    orbit: int


@dataclass(frozen=True)
class Facts:
    """Invariants of a group; see `describe`."""

    name: str
    order: int
    exponent: int
    is_abelian: bool
    is_nilpotent: bool
    is_solvable: bool
    is_simple: bool
    centre: int
    derived_subgroup: int
    num_classes: int
    class_sizes: tuple[int, ...]
    class_element_orders: tuple[int, ...]
    num_automorphisms: int
    irreps: tuple[IrrepFacts, ...]
    small_group: str | None
    structure: str | None
    other_names: tuple[str, ...]


def describe(group: Group) -> Facts:
    """Return what is known of a group; orders of subgroups stand for the subgroups."""
    irreps = irrep_facts(group)
    entry = identify(group)
    return Facts(
        name=group.name,
        order=group.order,
        exponent=int(np.lcm.reduce(group.element_orders)),
        is_abelian=group.is_abelian,
        is_nilpotent=is_nilpotent(group),
        is_solvable=is_solvable(group),
        # Normal subgroups are intersections of kernels of irreps.
        is_simple=group.order > 1 and all(irrep.kernel == 1 for irrep in irreps[1:]),
        centre=int((group.class_sizes == 1).sum()),
        derived_subgroup=int(commutators(group, np.ones(group.order, bool)).sum()),
        num_classes=len(group.class_sizes),
        class_sizes=tuple(group.class_sizes.tolist()),
        class_element_orders=tuple(
            group.element_orders[group.class_representatives].tolist()
        ),
        num_automorphisms=automorphism_group(group).order,
        irreps=irreps,
        small_group=entry.name if entry else None,
        structure=entry.structure if entry else None,
        other_names=other_names(group, entry),
    )


def irrep_facts(group: Group) -> tuple[IrrepFacts, ...]:
    """Return what is known of each real irrep of a group, trivial first."""
    irreps = real_irreps(group)
    characters = np.stack([irrep.character for irrep in irreps])
    kernels = np.isclose(characters, characters[:, [group.identity]]).sum(axis=1)
    orbits = orbits_of_characters(group, characters)
    return tuple(
        IrrepFacts(irrep.name, irrep.dim, irrep.type, int(kernel), int(orbit))
        for irrep, kernel, orbit in zip(irreps, kernels, orbits, strict=True)
    )


def is_nilpotent(group: Group) -> bool:
    """Return whether every Sylow subgroup is normal.

    By Frobenius, the elements whose order divides p^k, the p-part of n, are at least
    p^k; they are as many exactly when the Sylow p-subgroup is normal.
    """
    rest, prime = group.order, 2
    while rest > 1:
        part = 1
        while rest % prime == 0:
            rest, part = rest // prime, part * prime
        if part > 1 and (part % group.element_orders == 0).sum() != part:
            return False
        prime += 1
    return True


def is_solvable(group: Group) -> bool:
    """Return whether the derived series ends in the trivial subgroup."""
    members = np.ones(group.order, bool)
    while members.sum() > 1:
        smaller = commutators(group, members)
        if smaller.sum() == members.sum():
            return False
        members = smaller
    return True


def commutators(
    group: Group, members: Bool[np.ndarray, " group"]
) -> Bool[np.ndarray, " group"]:
    """Return the derived subgroup of a subgroup, both as masks of elements."""
    elements = np.flatnonzero(members)
    found = np.zeros(group.order, bool)
    found[group.identity] = True
    for a in elements:  # a b a⁻¹ b⁻¹
        conjugate = group.table[group.table[a, elements], group.inverse[a]]
        found[group.table[conjugate, group.inverse[elements]]] = True
    return _closure(group, found)


def _closure(
    group: Group, members: Bool[np.ndarray, " group"]
) -> Bool[np.ndarray, " group"]:
    """Return the subgroup that some elements generate."""
    generators: list[int] = []
    reached = np.zeros(group.order, bool)
    reached[group.identity] = True
    while (missing := members & ~reached).any():
        generators.append(int(missing.argmax()))
        frontier = np.flatnonzero(reached)
        while frontier.size:
            products = np.unique(group.table[frontier[:, None], generators])
            frontier = products[~reached[products]]
            reached[frontier] = True
    return reached


def other_names(group: Group, entry: Entry | None) -> tuple[str, ...]:
    """Return further names that `build_group` knows for an isomorphic group.

    Args:
        group: a group; above order 1,000 only its family is looked at.
        entry: its place in the library, if it has one.
    """
    names = [] if entry is None else [entry.name, entry.structure]
    if group.order <= LARGEST_COMPARED:
        names += _names_of_order(group.order)
    found: list[str] = []
    for name in names:
        if name != group.name and name not in found and _is_called(group, name):
            found.append(name)
    return tuple(found)


def _is_called(group: Group, name: str) -> bool:
    try:
        return are_isomorphic(build_group(name), group)
    except ValueError:  # GAP describes groups in words that are no names here
        return False


@lru_cache
def _names_of_order(order: int) -> tuple[str, ...]:
    """Return the names, other than products and metacyclic ones, of an order."""
    names = [f"C{order}"]
    names += [f"D{order // 2}"] * (order % 2 == 0 and order >= 6)
    names += [f"Q{order}", f"Dic{order // 4}"] * (order % 4 == 0 and order >= 8)
    factorial = 1
    for degree in range(1, MAX_DEGREE + 1):
        factorial *= degree
        names += [f"S{degree}"] * (factorial == order)
        names += [f"A{degree}"] * (factorial == 2 * order)
    names += [f"Heisenberg({n})" for n in range(2, 22) if n**3 == order]
    for kind in LINEAR:
        least = 1 if kind == "AGL" else 2
        for dim in range(least, 5):
            for q in range(2, LARGEST_FIELD + 1):
                same = linear_group_order(kind, dim, q) == order
                names += [f"{kind}({dim},{q})"] * same
    return tuple(names)
