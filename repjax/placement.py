"""Plans for the devices that are there: their number, kind and memory."""

from collections.abc import Sequence

import jax

from repjax import limits
from repjax.config import CellConfig
from repjax.data import num_train_pairs
from repjax.groups import build_group
from repjax.plan import USABLE, Plan, make_plan


def num_pairs_of(cell: CellConfig) -> int:
    """Return the number of training pairs of each run of `cell`."""
    return num_train_pairs(build_group(cell.group).order, cell.train_fraction)


def plan_for(cell: CellConfig, devices: Sequence[jax.Device] | None = None) -> Plan:
    """How the runs of `cell` are laid out on `devices`, by default on all."""
    devices = devices or jax.devices()
    on_cpu = devices[0].platform == "cpu"
    one_host = jax.process_count() == 1
    mine = next(d for d in devices if d.process_index == jax.process_index())
    host = limits.memory()
    return make_plan(cell, len(devices), on_cpu, _memory(mine), one_host, host)


def fit_together(cells: Sequence[CellConfig]) -> bool:
    """Whether any two of these cells may be on the devices at one time.

    By what their plans need, the larger of training and evaluation.
    """
    memory, on_cpu = _memory(jax.devices()[0]), jax.default_backend() == "cpu"
    try:
        needed = sorted(plan_for(cell).total_bytes(on_cpu) for cell in cells)
    except ValueError:  # one does not even fit alone, or its group is no longer known
        return False
    return memory is None or sum(needed[-2:]) <= USABLE * memory


def _memory(device: jax.Device) -> int | None:
    """Bytes of a device, of the whole host for a CPU; None where nobody says."""
    if device.platform == "cpu":
        return limits.memory()
    statistics = device.memory_stats() or {}
    return statistics.get("bytes_limit")
