"""Lay out runs on devices so that they fit into memory.

Sizes are estimates from shapes, a little above what XLA reports; no device is needed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from repjax.analysis.memory import floats_of_evaluation, networks_at_once
from repjax.groups import build_group
from repjax.settings.architectures import ARCHITECTURES
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError

USABLE = 0.8
"""Share of a device's memory that a plan may use."""

SMALLEST_BLOCK = 2**10
"""Least number of pairs in a block on accelerators, however little memory they have.

Otherwise all training pairs are one block; the S6 transformer's 207,360 take 4 GB.
"""

LISTED_FROM = 360
"""Order of a group from which GPUs sum the gradient of look-ups by lists of pairs.

On an H200 in TF32, µs a run and step with a product with a one-hot matrix and with
lists: A5 MLP (n = 60) × 1000 4.69 and 5.59, S5 MLP (120) × 200 17.4 and 17.9, S6 MLP
(720) × 4 1,650 and 1,167, S6 transformer × 4 5,110 and 4,767. Nothing was measured
between 120 and 720. The operations of the product grow with n³, those of lists with n².
"""

SMALL_STEP = 1e10
"""Operations of a step below which a GPU waits for launches: two steps a turn then.

On an H200 two steps a turn take 0.93 of the time for 4 A5 MLPs (7e8 operations), 1.00
for 1,000 (2e11), 1.01 for 200 S5 MLPs (3e11) and 1.06 for 4 S6 MLPs (1e12).
"""

CPU_BLOCKS = ((1_000, 144), (14_000, 192), (math.inf, 288))
"""Blocks on CPUs: (largest number of pairs n² of a group, pairs of a block).

Activations and logits of a block stay in a core's own cache. Sizes are multiples of
48, the pairs that Eigen's products take at a time with AVX-512. Large blocks are
faster, but the last one of a run is padded. On 2 cores of an AMD EPYC, ms a step with
blocks of 144, 192, 240 and 288 pairs: D12 MLP, 32 runs, 1.99, 2.28, 2.09, –; A5 MLP,
4 runs, 1.66, 1.60, 1.70, –; S5 MLP 8.0, 7.3, 7.4, 7.2; S5 transformer 94, 90, 87, 85;
S6 MLP, 1 run, –, 214, 211, 205. Blocks do not depend on the number of training pairs,
so neither does the program.
"""

SEGMENTS = 8
"""Parts in which the pairs of a costly step are summed, so that cores can share them.

A single run of the S6 MLP takes 441 ms a step on one of two cores, 283 on both. The
parts, and so the bits, are the same for any number of cores. They cost 4 % of a step
there and 20 % of a step of S5, which is therefore not divided.
"""

DIVIDED_FROM = 5e10
"""Least operations, over all pairs, of a divided step; S6 MLP: 3e11, S5 MLP: 1e9."""

_FLOAT = 4

_PIECE = 32
"""`PIECE` of models/lookup.py, which needs jax."""


@dataclass(frozen=True)
class Plan:
    """The layout of one cell.

    Attributes:
        runs: runs of the cell.
        parts: parts in which they are trained, each small enough for one program.
        devices: devices over which the runs of a part are spread.
        slots: runs that the program on each device holds, padding included.
        at_once: runs on a device that are trained together; the others take turns.
        evaluated: runs on a device, of those in turn, that are evaluated together.
        block: training pairs whose activations exist at once, for each run.
        skips_empty: whether blocks have a fixed size and those of padding are skipped.
        lists_pairs: whether a step has lists of the pairs of each element.
        steps_a_turn: steps in each turn of the loop.
        segments: parts of the training pairs that are summed separately.
        sharing: devices that share the segments of each run.
        device_bytes: memory needed on each device (on CPUs: by each core).
    """

    runs: int
    parts: int
    devices: int
    slots: int
    at_once: int
    evaluated: int
    block: int
    skips_empty: bool
    lists_pairs: bool
    steps_a_turn: int
    segments: int
    sharing: int
    device_bytes: int

    @property
    def teams(self) -> int:
        """Devices, or groups of devices that share each of their runs."""
        return self.devices // self.sharing

    @property
    def width(self) -> int:
        """Runs that the arrays of a part hold, padding included."""
        return self.slots * self.teams

    def total_bytes(self, on_cpu: bool) -> int:
        """Return the bytes needed on a device, or on the host if cores are devices."""
        return self.device_bytes * (self.devices if on_cpu else 1)


def make_plan(
    cell: CellConfig,
    num_devices: int,
    on_cpu: bool,
    memory: int | None,
    one_host: bool = True,
    host_memory: int | None = None,
    on_gpu: bool = False,
) -> Plan:
    """Return the widest layout that fits.

    On CPUs runs take turns: a core trains two runs faster one after the other than
    together. There are at least two turns of equal width, though they may be padding:
    XLA removes the indexing of an array of one turn and then fuses and rounds
    differently, so the bits of a run would depend on how many runs share its device. If
    there are more cores than runs, and a step is costly enough, several cores share a
    run. Other devices batch as many runs as fit. `cell.runs_per_device` overrides both.
    Runs whose states alone are too large for accelerators are trained in parts.

    Args:
        cell: the cell to train.
        num_devices: devices that may be used.
        on_cpu: whether they are the cores of one host, which share its memory.
        memory: bytes of each device, or of the host; None if unknown.
        one_host: whether all devices belong to one host. They may then share a run,
            and devices without one may be left out.
        host_memory: bytes of the host, which holds states to save and states of parts.
        on_gpu: whether the devices are GPUs.

    Raises:
        ConfigError: one run does not fit, or `runs_per_device` runs do not, or all
            runs together are too large for the host.
    """
    runs = len(cell.seeds)
    layout = partial(
        _layout_of_part,
        cell,
        num_devices=num_devices,
        on_cpu=on_cpu,
        memory=memory,
        one_host=one_host,
        on_gpu=on_gpu,
    )

    parts, plan = 1, layout(runs=runs)
    widest = plan
    while memory is not None and plan.total_bytes(on_cpu) > USABLE * memory:
        # Parts stay in the memory of the host, which its cores share.
        if on_cpu or parts >= runs:
            raise _refusal(cell, plan, layout, on_cpu, memory)
        parts = min(2 * parts, runs)
        plan = layout(runs=-(-runs // parts))
        if cell.runs_per_device and plan.at_once < widest.at_once:
            raise _refusal(cell, widest, layout, on_cpu, memory)
    if one_host and not on_cpu and host_memory is not None:
        # With and without padding; of parts the old, the new and those to save.
        copies = 3 if parts > 1 else 2
        resting = copies * runs * state_bytes(cell)
        if resting > USABLE * host_memory:
            raise _too_many(cell, _beyond(resting, host_memory))
    return replace(plan, runs=runs, parts=parts)


def _refusal(
    cell: CellConfig,
    plan: Plan,
    layout: Callable[..., Plan],
    on_cpu: bool,
    memory: int,
) -> ConfigError:
    """Return the error for a plan that does not fit, naming the setting to change."""
    too_much = _beyond(plan.total_bytes(on_cpu), memory)
    together = layout(runs=plan.at_once).total_bytes(on_cpu)
    if plan.at_once > 1 and together > USABLE * memory:
        return ConfigError(
            f"runs_per_device: {cell.runs_per_device} is not allowed for {cell.name}: "
            f"{plan.at_once} runs at once need {too_much}; use fewer, or 0 for as many "
            "as fit"
        )
    alone = layout(runs=1).total_bytes(on_cpu)
    if alone <= USABLE * memory:
        return _too_many(cell, too_much)
    return ConfigError(
        f"groups: {cell.group} is too large: a run of {cell.name} needs "
        f"{_beyond(alone, memory)}; use a smaller group or network, or a device with "
        "more memory"
    )


def _too_many(cell: CellConfig, too_much: str) -> ConfigError:
    return ConfigError(
        f"num_seeds: {len(cell.seeds)} runs of {cell.name} need {too_much}; use fewer, "
        "--shard=i/n on several machines, or a host with more memory"
    )


def _beyond(needed: int, memory: int) -> str:
    return f"{show_size(needed)}, more than {USABLE:.0%} of {show_size(memory)}"


def _layout_of_part(
    cell: CellConfig,
    runs: int,
    num_devices: int,
    on_cpu: bool,
    memory: int | None,
    one_host: bool,
    on_gpu: bool,
) -> Plan:
    """Return the widest layout of one part that fits, or else the smallest."""
    # On several hosts every device takes part, even if some have no run.
    devices = min(num_devices, runs) if one_host and not on_cpu else num_devices
    segments = SEGMENTS if on_cpu and _is_divided(cell) else 1
    sharing = _sharing(devices, runs, segments) if one_host else 1
    devices -= devices % sharing
    per_device = -(-runs * sharing // devices)
    at_once = cell.runs_per_device or (1 if on_cpu else per_device)
    if not on_cpu:
        at_once = min(at_once, per_device)
    order = build_group(cell.group).order
    num_pairs = _num_pairs(cell)
    block = cpu_block(order) if on_cpu else max(num_pairs, SMALLEST_BLOCK)
    while True:
        turns = max(-(-per_device // at_once), 2 if on_cpu else 1)
        slots = turns * at_once
        lists_pairs = on_gpu and order >= LISTED_FROM and num_pairs <= block
        # The states before and after a chunk, on CPUs also the copy to save.
        resting = (3 if on_cpu else 2) * slots * state_bytes(cell)
        free = math.inf if memory is None else USABLE * memory - resting
        evaluated = _evaluated_at_once(cell, at_once, on_cpu, free)
        needed = resting + max(
            at_once * step_bytes(cell, block, lists_pairs),
            evaluated * evaluation_bytes(cell, on_cpu),
        )
        plan = Plan(
            runs=runs,
            parts=1,
            devices=devices,
            slots=slots,
            at_once=at_once,
            evaluated=evaluated,
            block=block,
            skips_empty=on_cpu,
            lists_pairs=lists_pairs,
            steps_a_turn=2
            if on_gpu and at_once * _operations(cell) < SMALL_STEP
            else 1,
            segments=segments,
            sharing=sharing,
            device_bytes=needed,
        )
        if memory is None or plan.total_bytes(on_cpu) <= USABLE * memory:
            return plan
        if at_once > 1 and not cell.runs_per_device:
            at_once = -(-at_once // 2)
        elif block > SMALLEST_BLOCK:
            block //= 2
        elif on_cpu and devices > 1:
            devices = max(devices // 2 - devices // 2 % sharing, 1)
            sharing = min(sharing, devices)
            per_device = -(-runs * sharing // devices)
        else:
            return plan


def _evaluated_at_once(
    cell: CellConfig, at_once: int, on_cpu: bool, free: float
) -> int:
    """Return the runs to evaluate together, in batches of nearly equal size."""
    if on_cpu:
        return 1
    order, width = build_group(cell.group).order, cell.sizes.num_neurons
    most = min(networks_at_once(order, width), free // evaluation_bytes(cell, on_cpu))
    batches = math.ceil(at_once / max(1, most))
    return math.ceil(at_once / batches)


def cpu_block(order: int) -> int:
    """Return the number of pairs of a block on a core."""
    size = next(size for most, size in CPU_BLOCKS if order**2 <= most)
    return min(size, order**2)


def _num_pairs(cell: CellConfig) -> int:
    """Return the number of training pairs of one run."""
    return int(cell.train_fraction * build_group(cell.group).order ** 2)


def _is_divided(cell: CellConfig) -> bool:
    """Return whether a step sums its pairs in segments.

    Transformers do not: their bits would depend on how many cores share a run. The
    number of training pairs does not matter, or bits would depend on the other runs of
    a program.
    """
    may_share = ARCHITECTURES[cell.architecture].cores_may_share
    return may_share and _operations(cell) >= DIVIDED_FROM


def _operations(cell: CellConfig) -> float:
    """Return the operations of a step of one run, if all pairs trained."""
    order = build_group(cell.group).order
    return 6.0 * cell.sizes.products(order) * order**2


def _sharing(devices: int, runs: int, segments: int) -> int:
    """Return the number of devices that share each run, at most half of `segments`.

    A device with a single segment would be compiled, and round, differently.
    """
    sharing = 1
    while 2 * sharing * runs <= devices and 4 * sharing <= segments:
        sharing *= 2
    return sharing


def num_parameters(cell: CellConfig) -> int:
    """Return the number of trainable weights of one network."""
    shapes = cell.sizes.weights(build_group(cell.group).order)
    return sum(map(math.prod, shapes.values()))


def state_bytes(cell: CellConfig) -> int:
    """Return the bytes of weights, both moments and training pairs of one run."""
    return _FLOAT * (3 * num_parameters(cell) + _num_pairs(cell))


def step_bytes(cell: CellConfig, block: int, lists_pairs: bool = False) -> int:
    """Return the bytes that a step of one run needs besides its state.

    Five times the weights: state and moments of the turn, gradient and tables. Lists
    of pairs have two integers for each pair and up to 31 places of padding for each
    element, on both sides, and a sum for each 32 pairs.
    """
    order = build_group(cell.group).order
    pairs = min(block, _num_pairs(cell))
    floats = 5 * num_parameters(cell) + pairs * cell.sizes.floats_per_pair(order)
    if lists_pairs:
        pieces = pairs // _PIECE + order
        floats += 2 * (pairs + _PIECE * pieces) + pieces * cell.sizes.looked_up
    return _FLOAT * floats


def evaluation_bytes(cell: CellConfig, on_cpu: bool) -> int:
    """Return the bytes that an evaluation of one run needs besides its state."""
    group = build_group(cell.group)
    return _FLOAT * floats_of_evaluation(
        group.order, group.num_real_irreps, cell.sizes.num_neurons, on_cpu
    )


def show_size(size: int) -> str:
    """Return a number of bytes in words: "1.2 GiB", "23 MiB", "40 KiB"."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    if size < 0.1 * 2**20:
        return f"{size / 2**10:.0f} KiB"
    return f"{size / 2**20:.{0 if size >= 2**23 else 1}f} MiB"
