"""Finite groups, exactly: tables, names, irreps, subgroups, automorphisms; NumPy only.

A family of groups is a builder in `names.py`; everything else follows from the table.
Nothing here knows about networks, tasks or jax.
"""

from repjax.groups.fourier import Fourier, build_fourier
from repjax.groups.group import Group
from repjax.groups.irreps import Irrep, real_irreps
from repjax.groups.names import build_group

__all__ = ["Fourier", "Group", "Irrep", "build_fourier", "build_group", "real_irreps"]
