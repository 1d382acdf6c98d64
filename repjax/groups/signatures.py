"""Signatures of irreps: what every isomorphism preserves of a character."""

import numpy as np
from jaxtyping import Float, Int

from repjax.groups.automorphisms import element_invariants, orbits_of_characters
from repjax.groups.group import Group
from repjax.groups.representations import frobenius_schur

Signature = tuple
"""Compares with those of the same group, however its elements are numbered."""


def signatures(
    group: Group, characters: Float[np.ndarray, "irrep group"]
) -> list[Signature]:
    """Return a signature for each irrep, by which tables order them.

    Real type comes before complex and quaternionic type, faithful irreps come first,
    then larger values on elements of the first kind. In 11 of the 1,048 groups of order
    up to 100 this leaves irreps together that no automorphism exchanges, such as the
    two of C11:C5 that differ in which generator of C5 is meant; subgroups with two
    marked generators tell these apart.

    Args:
        group: the group.
        characters: of all its real irreps.
    """
    kinds = element_invariants(group)
    found: list[Signature] = []
    for character in characters:
        values = np.round(-character, 6) + 0.0
        kernel = int((values == values[group.identity]).sum())
        in_order = values[np.lexsort((values, kinds))].tolist()
        found.append((-frobenius_schur(group, character), kernel, in_order))
    if len({*map(repr, found)}) == len(found):
        return found
    orbits = orbits_of_characters(group, characters)
    for signature in found.copy():
        together = [j for j, other in enumerate(found) if other[:3] == signature]
        if len({*orbits[together].tolist()}) > 1:
            finer = _marked_values(group, characters[together])
            for j, values in zip(together, finer, strict=True):
                found[j] = (*found[j], values)
    return found


def _marked_values(
    group: Group, characters: Float[np.ndarray, "irrep group"]
) -> list[list[tuple]]:
    """Return, for each character, its values on every ⟨x, y⟩ with x and y marked.

    One entry for each pair, x up to conjugation: the Cayley graph of ⟨x, y⟩, which is
    all there is to know of a group with marked generators, then the values in the order
    in which a breadth-first walk of the graph meets the elements.
    """
    rounded = np.round(characters, 6) + 0.0
    marked = [
        _walk(group, x, y)
        for x in group.class_representatives.tolist()
        for y in range(group.order)
    ]
    return [
        sorted((graph, values[met].tolist()) for graph, met in marked)
        for values in rounded
    ]


def _walk(
    group: Group, x: int, y: int
) -> tuple[list[int], Int[np.ndarray, " element"]]:
    """Return the Cayley graph of ⟨x, y⟩ and its elements in the order of the walk.

    The graph lists, for the k-th element g met, the places of gx and gy.
    """
    times_x, times_y = group.table[:, x].tolist(), group.table[:, y].tolist()
    met = [group.identity]
    place = {group.identity: 0}
    graph = []
    for element in met:  # grows on the way
        for product in (times_x[element], times_y[element]):
            if product not in place:
                place[product] = len(met)
                met.append(product)
            graph.append(place[product])
    return graph, np.array(met)
