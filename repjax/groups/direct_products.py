"""Direct products: the indecomposable factors of groups of the library."""

from functools import lru_cache

import numpy as np

from repjax.groups.families import product_table
from repjax.groups.group import Group
from repjax.groups.identify import are_isomorphic, identify
from repjax.groups.library import Entry, library_group, small_groups


def direct_factors(group: Group) -> tuple[Entry, ...]:
    """Return the indecomposable direct factors of a group, by order.

    They are unique up to isomorphism (Krull-Remak-Schmidt). Empty for the trivial group
    and above order 100; the group alone if it is no direct product.
    """
    entry = identify(group)
    return () if entry is None else _factors(entry.order, entry.number)


@lru_cache(maxsize=2048)
def _factors(order: int, number: int) -> tuple[Entry, ...]:
    """Return the factors of an entry: a smallest one, then those of the rest."""
    whole = library_group(order, number)
    for small in range(2, int(order**0.5) + 1):
        if order % small == 0:
            for first in small_groups()[small]:
                for rest in small_groups()[order // small]:
                    if _is_product(whole, first, rest):
                        # Indecomposable, or a smaller factor had been found.
                        return first, *_factors(rest.order, rest.number)
    return (small_groups()[order][number - 1],) * (order > 1)


def _is_product(whole: Group, first: Entry, rest: Entry) -> bool:
    """Return whether a group is the direct product of two entries.

    Element orders, which are quickly compared, rule out nearly all that are not.
    """
    factors = [library_group(entry.order, entry.number) for entry in (first, rest)]
    orders = np.lcm.outer(*(factor.element_orders for factor in factors)).ravel()
    if not np.array_equal(np.sort(orders), np.sort(whole.element_orders)):
        return False
    if len(whole.class_sizes) != np.prod([len(each.class_sizes) for each in factors]):
        return False
    table = product_table(*(factor.table for factor in factors))
    return are_isomorphic(Group("product", table), whole)
