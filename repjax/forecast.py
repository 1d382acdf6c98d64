"""What a sweep will cost, told before it is trained: operations, memory, time."""

from collections.abc import Sequence

from repjax.config import CellConfig
from repjax.plan import LARGEST_BLOCK, Plan, show_size, state_bytes, step_bytes
from repjax.sweep import divide, estimate_cost

RATES = {
    "CPU core": 1e11,
    "A100": 6e12,
    "H100": 2e13,
    "H200": 2e13,
    "TPU v4 chip": 1e13,
}
"""Floating-point operations a second, full float32, that training may be hoped to make.

That of a core was measured (Intel Xeon with AVX-512, S5 and C113 MLP); the others are a
third of what their makers give.
"""

LEAST_STEP = 1e-4
"""Seconds of a step on an accelerator that small runs do not fill: a guess, some ten
kernels one after the other."""


def describe(
    cells: Sequence[CellConfig],
    shard: str | None = None,
    plans: Sequence[Plan] | None = None,
    device_kind: str = "",
) -> str:
    """What would be trained, one line a cell: runs, steps, operations, memory, time.

    Args:
        cells: of the sweep, or of one shard.
        shard: "i/n" if these are the runs of one shard.
        plans: layouts of the cells on the devices that are there, if known.
        device_kind: what JAX calls those devices, such as "cpu" or "NVIDIA H100 PCIe".
    """
    width = max((len(cell.name) for cell in cells), default=0)
    lines = [f"shard {shard}:"] if shard else []
    for i, cell in enumerate(cells):
        block = plans[i].block if plans else LARGEST_BLOCK
        memory = state_bytes(cell) + step_bytes(cell, block)
        line = (
            f"{cell.name:{width}}  {len(cell.seeds):4} runs x {cell.num_steps:>9,} "
            f"steps, train fraction {cell.train_fraction:g}, "
            f"{estimate_cost(cell):.1e} flop and {show_size(memory)} a run"
        )
        if plans:
            plan = plans[i]
            line += (
                f"; {plan.at_once} at once on each of {plan.devices} devices, "
                f"{show_size(plan.device_bytes)} each"
                + (f", in {plan.parts} parts" if plan.parts > 1 else "")
            )
        lines.append(line)
    runs = sum(len(cell.seeds) for cell in cells)
    flop = [len(cell.seeds) * estimate_cost(cell) for cell in cells]
    lines.append(f"{len(cells)} cells, {runs} runs, {sum(flop):.1e} flop")
    if not runs:
        return "\n".join(lines)
    rate = _rate_of(device_kind)
    if plans and rate:
        seconds = sum(
            _seconds(cell, plan, rate, device_kind == "cpu")
            for cell, plan in zip(cells, plans, strict=True)
        )
        lines.append(f"about {_time(seconds)} on this machine")
    else:
        times = (f"{name} {_time(sum(flop) / rate)}" for name, rate in RATES.items())
        lines.append(f"about: {', '.join(times)}")
    return "\n".join(lines)


def describe_shards(sweep: Sequence[CellConfig], count: int) -> str:
    """How evenly the runs of a sweep are divided, in a line."""
    loads = [
        sum(len(cell.seeds) * estimate_cost(cell) for cell in cells)
        for cells in divide(sweep, count)
    ]
    return f"{count} shards of {min(loads):.1e} to {max(loads):.1e} flop"


def _seconds(cell: CellConfig, plan: Plan, rate: float, on_cpu: bool) -> float:
    """Devices that share no run wait for the one with most of them."""
    held = -(-plan.runs // plan.teams)
    computing = held * estimate_cost(cell) / (rate * plan.sharing)
    turns = -(-held // plan.at_once)
    return computing if on_cpu else max(computing, turns * cell.num_steps * LEAST_STEP)


def _rate_of(device_kind: str) -> float | None:
    """The rate of a device that JAX calls so, None if it is none of `RATES`."""
    for name, rate in RATES.items():
        if name.removesuffix(" core").removesuffix(" chip").lower() in (
            device_kind.lower()
        ):
            return rate
    return None


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
