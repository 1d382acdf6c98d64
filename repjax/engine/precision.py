"""Choose the precision of the products of training, where the user leaves it open."""

import jax

from repjax.settings.config import CellConfig

AUTO = "auto"

AGREES: frozenset[str] = frozenset()
"""Architectures shown to give the same results in TF32 as in float32.

None so far. For the MLP, `benchmarks/agreement.py` is to show it for A5, S5 and C113
with 32 seeds each: every mean of Table 3 within the spread over float32 seeds, and key
sets of the same law.
"""

_FIRST_WITH_TF32 = 8.0


def resolve(cell: CellConfig, device: jax.Device) -> str:
    """Return the precision in which a cell is trained: default, high or highest.

    "auto" means TF32 ("default") on devices that have it, for the architectures of
    `AGREES`, and full float32 ("highest") otherwise.
    """
    if cell.matmul_precision != AUTO:
        return cell.matmul_precision
    may = has_tf32(device) and cell.architecture in AGREES
    return "default" if may else "highest"


def has_tf32(device: jax.Device) -> bool:
    """Return whether a device is an NVIDIA GPU of the Ampere generation or newer."""
    if not device.device_kind.startswith("NVIDIA"):
        return False
    return float(getattr(device, "compute_capability", 0)) >= _FIRST_WITH_TF32
