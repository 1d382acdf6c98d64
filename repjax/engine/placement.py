"""Plan the layout of runs on the available devices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import jax

from repjax.engine import limits
from repjax.engine.plan import USABLE, Plan, make_plan
from repjax.groups import build_group
from repjax.settings.config import CellConfig
from repjax.tasks.pairs import num_train_pairs


def num_pairs_of(cell: CellConfig) -> int:
    """Return the number of training pairs of each run of `cell`."""
    return num_train_pairs(build_group(cell.group).order, cell.train_fraction)


@dataclass(frozen=True)
class Frame:
    """Capacity of a program: the most that any of its rounds needs.

    Attributes:
        cell: a cell with that many runs, training pairs and irreps.
        num_bases: number of different pairs of a group and a task.
    """

    cell: CellConfig
    num_bases: int


def frame_of(
    rounds: Sequence[Sequence[CellConfig]],
    finished: Sequence[Sequence[CellConfig]] = (),
) -> Frame:
    """Return the frame of rounds of cells that have the same shapes.

    Args:
        rounds: rounds to be trained.
        finished: rounds of the same sweep that need no place for their runs, but whose
            irreps and training pairs pad the others as when all were trained.
    """
    cells = [cell for members in (*rounds, *finished) for cell in members]
    largest = max(cells, key=lambda cell: build_group(cell.group).num_real_irreps)
    runs = max(sum(len(cell.seeds) for cell in members) for members in rounds)
    frame = replace(
        largest,
        seeds=tuple(range(runs)),
        train_fraction=max(cells, key=num_pairs_of).train_fraction,
    )
    return Frame(frame, max(len(bases_of(members)) for members in (*rounds, *finished)))


def bases_of(cells: Iterable[CellConfig]) -> list[tuple[str, str]]:
    """Return the different pairs of a group and a task, in order of appearance."""
    return list(dict.fromkeys((cell.group, cell.task) for cell in cells))


def plan_for(cell: CellConfig, devices: Sequence[jax.Device] | None = None) -> Plan:
    """Plan the layout of the runs of `cell` on `devices`, by default on all."""
    devices = devices or jax.devices()
    on_cpu, on_gpu = (devices[0].platform == name for name in ("cpu", "gpu"))
    one_host = jax.process_count() == 1
    mine = next(d for d in devices if d.process_index == jax.process_index())
    host = limits.memory()
    memory = _memory(mine)
    return make_plan(cell, len(devices), on_cpu, memory, one_host, host, on_gpu)


def fit_together(cells: Sequence[CellConfig]) -> bool:
    """Return whether any two of these cells fit on the devices at the same time.

    Uses the memory of their plans, the larger of training and evaluation.
    """
    memory, on_cpu = _memory(jax.devices()[0]), jax.default_backend() == "cpu"
    try:
        needed = sorted(plan_for(cell).total_bytes(on_cpu) for cell in cells)
    except ValueError:  # one does not even fit alone, or its group is no longer known
        return False
    return memory is None or sum(needed[-2:]) <= USABLE * memory


def _memory(device: jax.Device) -> int | None:
    """Return the bytes of a device, for a CPU of the whole host; None if unknown."""
    if device.platform == "cpu":
        return limits.memory()
    statistics = device.memory_stats() or {}
    return statistics.get("bytes_limit")
