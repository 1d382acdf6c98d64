"""Describe a sweep in words before it is trained: operations, memory, time."""

import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

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
from repjax.engine.plan import Plan, cpu_block, show_size, state_bytes, step_bytes
from repjax.groups import build_group
from repjax.settings.config import CellConfig, shape_of
from repjax.settings.sweep import divide, estimate_cost
from repjax.storage.rounds import group, title

MOST_CELLS = 40
"""Largest number of cells that are listed one by one."""

NARROWEST = 40
"""Fewest columns to which lines are wrapped."""

_FIXED = "\N{NO-BREAK SPACE}"

Cells = Sequence[CellConfig]


def describe(
    cells: Cells,
    shard: str | None = None,
    taken: Mapping[str, int] | None = None,
    plan_of: Callable[[Cells], Plan] | None = None,
    device_kind: str = "",
) -> str:
    """Describe in words what is left of a sweep: cells, layout, work, memory, time.

    Lines are wrapped to the width of the terminal, or else to COLUMNS or 80.

    Args:
        cells: cells of a sweep or of one shard.
        shard: "i/n" if these are the runs of one shard.
        taken: steps that cells have taken, by name; others have taken none.
        plan_of: returns the layout of a round on the available devices; None if these
            are not known.
        device_kind: JAX's name of those devices, such as "cpu" or "NVIDIA H100 PCIe".
    """
    begun = {name: steps for name, steps in (taken or {}).items() if steps}
    # From here on a cell has only the steps that it has not taken.
    left = [
        replace(cell, num_steps=cell.num_steps - begun.get(cell.name, 0))
        for cell in cells
        if begun.get(cell.name, 0) < cell.num_steps
    ]
    lines = [f"shard {shard}:"] if shard else []
    if done := len(cells) - len(left):
        verb = "is" if done == 1 else "are"
        lines.append(f"{done} of {counted(len(cells), 'cell')} {verb} finished")
    if left or not done:
        lines += _of_rest(left, begun, plan_of, device_kind)
    return "\n".join(map(_wrap, lines))


def _of_rest(
    left: Cells,
    begun: Mapping[str, int],
    plan_of: Callable[[Cells], Plan] | None,
    device_kind: str,
) -> Iterator[str]:
    """Yield lines on the steps that are left."""
    rounds, on_cpu = group(left), device_kind == "cpu"
    plans = [plan_of(members) for members in rounds] if plan_of else None
    for i, members in enumerate(rounds):
        layout = _layout(plans[i], on_cpu) if plans else ""
        block = plans[i].block if plans else None
        yield from _of_round(members, layout, block, begun, left)
    runs = sum(len(cell.seeds) for cell in left)
    work = sum(len(cell.seeds) * estimate_cost(cell) for cell in left)
    programs = len({(_order(cell), shape_of(cell)) for cell in left})
    yield (
        f"{counted(len(left), 'cell')}, {counted(runs, 'run')}, {work:.1e} "
        f"floating-point operations; {counted(programs, 'program')} to compile"
    )
    if not runs:
        return
    if snapshots := _snapshots(rounds):
        yield snapshots
    rate = rate_of(device_kind)
    if plans and rate:
        layouts = [Layout(plan.teams, plan.sharing, plan.at_once) for plan in plans]
        parts = estimate(rounds, layouts, programs, rate, on_cpu)
        yield "about {} on this machine{}".format(*_time_of(parts))
        return
    yield from _elsewhere(rounds, programs, runs)


def _elsewhere(rounds: Sequence[Cells], programs: int, runs: int) -> Iterator[str]:
    """Yield the time on this machine's cores, and on one of each accelerator.

    Accelerators on which it is the same share a line.
    """
    cores = limits.num_cores()
    layouts = [Layout(cores, 1, 1)] * len(rounds)
    parts = estimate(rounds, layouts, programs, RATES[CORE], True)
    on_cores, told = _time_of(parts)
    yield f"about {on_cores} on {counted(cores, CORE)}{told}"
    names: dict[tuple[str, str], list[str]] = {}
    for name, rate in RATES.items():
        if name != CORE:
            together = [Layout(1, 1, runs)] * len(rounds)
            parts = estimate(rounds, together, programs, rate, False)
            names.setdefault(_time_of(parts), []).append(name)
    for (time, told), alike in names.items():
        *most, last = alike
        either = f"{', '.join(most)} or {last}" if most else last
        yield f"about {time} on one {either}{told}"


def _time_of(parts: Mapping[str, float]) -> tuple[str, str]:
    """Return the sum of seconds in words, and its parts of a second or more."""
    told = [f"{name} {_time(part)}" for name, part in parts.items() if round(part)]
    return _time(sum(parts.values())), f" ({', '.join(told)})" if told else ""


def _snapshots(rounds: Sequence[Cells]) -> str | None:
    """Describe size and time of a sweep's snapshots; None without any."""
    kept = [cells for cells in rounds if cells[0].checkpoint.snapshots]
    if not kept:
        return None
    files = sum(num_evaluations(cells[0]) for cells in kept)
    size = sum(map(snapshot_bytes, kept))
    return (
        f"snapshots: {show_size(size)} in {counted(files, 'file')}, "
        f"{_time(size / WRITING)} to write"
    )


def _of_round(
    cells: Cells, layout: str, block: int | None, begun: Mapping[str, int], left: Cells
) -> Iterator[str]:
    """Yield a line for each cell, or a single line for a round of many cells.

    Args:
        cells: cells of the round.
        layout: how its runs are laid out; empty if the devices are not known.
        block: pairs of a block; None if the devices are not known.
        begun: steps that cells have taken, by name.
        left: all cells that are not finished.
    """
    together = len(cells) > 1
    if together:
        runs = sum(len(cell.seeds) for cell in cells)
        yield f"{title(cells)}: {runs} runs in one program{layout}"
    if together and len(left) > MOST_CELLS:
        return
    rows = [_row(cell, begun.get(cell.name, 0)) for cell in left]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    for cell in cells:
        first = begun.get(cell.name, 0)
        name, seeds, steps = _row(cell, first)
        yield (
            f"{'  ' if together else ''}{name:{widths[0]}}  {seeds:>{widths[1]}} x "
            f"{steps:>{widths[2]}}{f' from step {first:,}' if first else ''}, train "
            f"fraction {cell.train_fraction:g}, {estimate_cost(cell):.1e} operations "
            f"and {_memory(cell, block)}{'' if together else layout}"
        )


def _row(cell: CellConfig, begun: int) -> tuple[str, str, str]:
    """Return a cell's name, its number of runs, and of steps, those taken included."""
    steps = counted(cell.num_steps + begun, "step")
    return cell.name, counted(len(cell.seeds), "run"), steps


def _memory(cell: CellConfig, block: int | None) -> str:
    """Return the memory of a run, on each kind of device if they are not known."""
    order, state = _order(cell), state_bytes(cell)
    here, elsewhere = (
        show_size(state + step_bytes(cell, pairs))
        for pairs in (block or cpu_block(order), order**2)
    )
    if block or here == elsewhere:
        return f"{here} a run"
    return f"{here} a run ({elsewhere} on an accelerator)"


def _layout(plan: Plan, on_cpu: bool) -> str:
    device = "core" if on_cpu else "device"
    size = show_size(plan.device_bytes)
    together = "1 at a time" if plan.at_once == 1 else f"{plan.at_once} at once"
    where = (
        f"each of {plan.devices} {device}s, {size} a {device}"
        if plan.devices > 1
        else f"1 {device}, {size}"
    )
    parts = f", in {plan.parts} parts" if plan.parts > 1 else ""
    return f"; {together} on {where}{parts}"


def _order(cell: CellConfig) -> int:
    return build_group(cell.group).order


def describe_shards(sweep: Cells, count: int) -> str:
    """Describe in one line how evenly the runs of a sweep are divided."""
    loads = [
        sum(len(cell.seeds) * estimate_cost(cell) for cell in cells)
        for cells in divide(sweep, count)
    ]
    return _wrap(
        f"{counted(count, 'shard')} of {min(loads):.1e} to {max(loads):.1e} "
        "floating-point operations"
    )


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: "1 run", "12,000 steps"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return counted(round(seconds / length), unit)
    return counted(round(seconds), "second")


def _wrap(line: str) -> str:
    """Return a line, wrapped between numbers and indented below its beginning."""
    indent = len(line) - len(line.lstrip()) + 4
    filled = textwrap.fill(
        re.sub(r"(\d) (?=\w)", rf"\1{_FIXED}", line),
        max(shutil.get_terminal_size().columns, NARROWEST),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(_FIXED, " ")
