"""Recognise groups: their number in the library, and whether two are isomorphic."""

from collections.abc import Iterable

import numpy as np

from repjax.groups.automorphisms import element_invariants, isomorphism
from repjax.groups.group import Group
from repjax.groups.library import (
    Entry,
    is_library_name,
    library_group,
    small_groups,
)
from repjax.groups.names import build_group

LARGEST_COMPARED = 1_000
"""Largest order at which groups are compared unasked."""


def identify(group: Group) -> Entry | None:
    """Return the entry that is isomorphic to `group`; None above order 100."""
    candidates = small_groups().get(group.order, ())
    if not candidates:
        return None
    colours = np.sort(element_invariants(group))
    for entry in candidates:
        known = library_group(entry.order, entry.number)
        if len(candidates) == 1 or (
            np.array_equal(np.sort(element_invariants(known)), colours)
            and isomorphism(known, group) is not None
        ):
            return entry
    return None


def are_isomorphic(first: Group, second: Group) -> bool:
    """Return whether two groups differ in nothing but the order of their elements."""
    return isomorphism(first, second) is not None


def same_groups(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that stand for isomorphic groups, together.

    Groups of more than 1,000 elements are left out: looking would take long.
    """
    kinds: dict[int, list[list[str]]] = {}
    for name in dict.fromkeys(names):
        group = build_group(name)
        if group.order > LARGEST_COMPARED:
            continue
        of_order = kinds.setdefault(group.order, [])
        for kind in of_order:
            if _is_same(kind[0], name):
                kind.append(name)
                break
        else:
            of_order.append([name])
    return [tuple(kind) for of_order in kinds.values() for kind in of_order if kind[1:]]


def _is_same(name: str, other: str) -> bool:
    """Return whether two different names stand for isomorphic groups."""
    if is_library_name(name) and is_library_name(other):
        return False  # the library has each group once
    return are_isomorphic(build_group(name), build_group(other))
