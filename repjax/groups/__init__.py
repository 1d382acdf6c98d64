"""Finite groups, their real irreps and Fourier matrices; NumPy only."""

from repjax.groups.fourier import Fourier, build_fourier
from repjax.groups.group import Group
from repjax.groups.irreps import Irrep, real_irreps
from repjax.groups.names import build_group

__all__ = ["Fourier", "Group", "Irrep", "build_fourier", "build_group", "real_irreps"]
