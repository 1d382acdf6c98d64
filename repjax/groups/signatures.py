"""Signatures of irreps: what every isomorphism preserves of a character."""

import numpy as np
from jaxtyping import Float

from repjax.groups.automorphisms import element_invariants
from repjax.groups.group import Group
from repjax.groups.representations import frobenius_schur

Signature = tuple[int, int, list[float]]
"""Compares with those of the same group, however its elements are numbered."""


def signature(group: Group, character: Float[np.ndarray, " group"]) -> Signature:
    """Return the signature of a real irrep, by which tables order irreps.

    Real type comes before complex and quaternionic type, faithful irreps come first,
    then larger values on elements of the first kind. In all groups of order up to 100
    irreps of equal signature are exchanged by an automorphism.
    """
    values = np.round(-character, 6) + 0.0
    kernel = int((values == values[group.identity]).sum())
    in_order = np.lexsort((values, element_invariants(group)))
    return -frobenius_schur(group, character), kernel, values[in_order].tolist()
