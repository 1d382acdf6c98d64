"""Describe a sweep in words before it is trained: operations, memory, time."""

from collections.abc import Iterator, Mapping, Sequence

from repjax.engine import limits
from repjax.engine.costs import (
    CORE,
    RATES,
    WRITING,
    Layout,
    estimate,
    num_evaluations,
    rate_of,
    snapshot_bytes,
)
from repjax.engine.plan import Plan, show_size, state_bytes, step_bytes
from repjax.groups import build_group
from repjax.settings.config import CellConfig, shape_of
from repjax.settings.sweep import divide, estimate_cost
from repjax.storage.rounds import title

MOST_CELLS = 40
"""Largest number of cells that are listed one by one."""


def describe(
    rounds: Sequence[Sequence[CellConfig]],
    shard: str | None = None,
    plans: Sequence[Plan] | None = None,
    device_kind: str = "",
) -> str:
    """Describe a sweep in words: cells, rounds, layout, work, memory, time.

    Args:
        rounds: cells that train together, of a sweep or of one shard.
        shard: "i/n" if these are the runs of one shard.
        plans: layouts of the rounds on the available devices, if known.
        device_kind: JAX's name of those devices, such as "cpu" or "NVIDIA H100 PCIe".
    """
    cells = [cell for members in rounds for cell in members]
    lines = [f"shard {shard}:"] if shard else []
    for i, members in enumerate(rounds):
        lines += _of_round(members, plans[i] if plans else None, len(cells))
    runs = sum(len(cell.seeds) for cell in cells)
    flop = sum(len(cell.seeds) * estimate_cost(cell) for cell in cells)
    num_programs = len({(_order(cell), shape_of(cell)) for cell in cells})
    lines.append(
        f"{len(cells)} cells, {runs} runs, {flop:.1e} flop; "
        f"{num_programs} programs to compile"
    )
    if not runs:
        return "\n".join(lines)
    if snapshots := _snapshots(rounds):
        lines.append(snapshots)
    rate = rate_of(device_kind)
    if plans and rate:
        on_cpu = device_kind == "cpu"
        layouts = [Layout(plan.teams, plan.sharing, plan.at_once) for plan in plans]
        parts = estimate(rounds, layouts, num_programs, rate, on_cpu)
        lines.append(
            f"about {_time(sum(parts.values()))} on this machine{_told(parts)}"
        )
        return "\n".join(lines)
    cores = limits.num_cores()
    parts = estimate(
        rounds, [Layout(cores, 1, 1)] * len(rounds), num_programs, RATES[CORE], True
    )
    times = [f"{cores} CPU cores {_time(sum(parts.values()))}{_told(parts)}"]
    for name, rate in RATES.items():
        if name != CORE:
            together = [Layout(1, 1, runs)] * len(rounds)
            parts = estimate(rounds, together, num_programs, rate, False)
            times.append(f"{name} {_time(sum(parts.values()))}")
    lines.append("about: " + "; ".join(times))
    return "\n".join(lines)


def _told(parts: Mapping[str, float]) -> str:
    return f" ({', '.join(f'{name} {_time(part)}' for name, part in parts.items())})"


def _snapshots(rounds: Sequence[Sequence[CellConfig]]) -> str | None:
    """Describe size and time of a sweep's snapshots; None without any."""
    kept = [cells for cells in rounds if cells[0].checkpoint.snapshots]
    if not kept:
        return None
    files = sum(num_evaluations(cells[0]) for cells in kept)
    size = sum(map(snapshot_bytes, kept))
    return (
        f"snapshots: {show_size(size)} in {files} files, "
        f"{_time(size / WRITING)} to write"
    )


def _of_round(
    cells: Sequence[CellConfig], plan: Plan | None, in_all: int
) -> Iterator[str]:
    """Yield a line for each cell, or a single line for a round of many cells."""
    together = len(cells) > 1
    if together:
        layout = f"; {_layout(plan)}" if plan else ""
        runs = sum(len(cell.seeds) for cell in cells)
        yield f"{title(cells)}: {runs} runs in one program{layout}"
    if together and in_all > MOST_CELLS:
        return
    width = max(len(cell.name) for cell in cells)
    for cell in cells:
        block = plan.block if plan else _order(cell) ** 2
        memory = state_bytes(cell) + step_bytes(cell, block)
        layout = f"; {_layout(plan)}" if plan and not together else ""
        yield (
            f"{'  ' if together else ''}{cell.name:{width}}  {len(cell.seeds):4} runs "
            f"x {cell.num_steps:>9,} steps, train fraction {cell.train_fraction:g}, "
            f"{estimate_cost(cell):.1e} flop and {show_size(memory)} a run{layout}"
        )


def _layout(plan: Plan) -> str:
    return (
        f"{plan.at_once} at once on each of {plan.devices} devices, "
        f"{show_size(plan.device_bytes)} each"
        + (f", in {plan.parts} parts" if plan.parts > 1 else "")
    )


def _order(cell: CellConfig) -> int:
    return build_group(cell.group).order


def describe_shards(sweep: Sequence[CellConfig], count: int) -> str:
    """Describe in one line how evenly the runs of a sweep are divided."""
    loads = [
        sum(len(cell.seeds) * estimate_cost(cell) for cell in cells)
        for cells in divide(sweep, count)
    ]
    return f"{count} shards of {min(loads):.1e} to {max(loads):.1e} flop"


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
