"""Estimate and describe the cost of a sweep: operations, memory, time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from repjax.engine import limits
from repjax.engine.plan import (
    LARGEST_BLOCK,
    Plan,
    num_parameters,
    show_size,
    state_bytes,
    step_bytes,
)
from repjax.groups import build_group, real_irreps
from repjax.settings.config import CellConfig, shape_of
from repjax.settings.sweep import divide, estimate_cost
from repjax.storage.rounds import title

_CORE = "CPU core"

RATES = {
    _CORE: 1e11,
    "A100": 6e12,
    "H100": 2e13,
    "H200": 2e13,
    "TPU v4 chip": 1e13,
}
"""Expected rates of training, in full float32 operations per second.

The rate of a core was measured (Intel Xeon with AVX-512, S5 and C113 MLP); the others
are a third of the makers' figures.
"""

LEAST_STEP = 1e-4
"""Seconds of a step on an accelerator that small runs do not fill: a guess, for about
ten kernels one after the other."""


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
    rate = _rate_of(device_kind)
    if plans and rate:
        on_cpu = device_kind == "cpu"
        layouts = [_Layout(plan.teams, plan.sharing, plan.at_once) for plan in plans]
        parts = _parts(rounds, layouts, num_programs, rate, on_cpu)
        lines.append(
            f"about {_time(sum(parts.values()))} on this machine{_told(parts)}"
        )
        return "\n".join(lines)
    cores = limits.num_cores()
    parts = _parts(
        rounds, [_Layout(cores, 1, 1)] * len(rounds), num_programs, RATES[_CORE], True
    )
    times = [f"{cores} CPU cores {_time(sum(parts.values()))}{_told(parts)}"]
    for name, rate in RATES.items():
        if name != _CORE:
            together = [_Layout(1, 1, runs)] * len(rounds)
            parts = _parts(rounds, together, num_programs, rate, False)
            times.append(f"{name} {_time(sum(parts.values()))}")
    lines.append("about: " + "; ".join(times))
    return "\n".join(lines)


class _Layout(NamedTuple):
    """Number of teams of devices, devices that share a run, and runs at once."""

    teams: int
    sharing: int
    at_once: int


def _parts(
    rounds: Sequence[Sequence[CellConfig]],
    layouts: Sequence[_Layout],
    num_programs: int,
    rate: float,
    on_cpu: bool,
) -> dict[str, float]:
    """Estimate the seconds of compilation, training and evaluations."""
    costs = [
        _cost(members, layout, rate, on_cpu)
        for members, layout in zip(rounds, layouts, strict=True)
    ]
    training, measuring = (sum(each) for each in zip(*costs, strict=True))
    compiling = num_programs * (_COMPILING_CPU if on_cpu else _COMPILING)
    return {"compilation": compiling, "training": training, "evaluations": measuring}


def _told(parts: Mapping[str, float]) -> str:
    return f" ({', '.join(f'{name} {_time(part)}' for name, part in parts.items())})"


def _snapshots(rounds: Sequence[Sequence[CellConfig]]) -> str | None:
    """Describe size and time of a sweep's snapshots; None without any."""
    kept = [cells for cells in rounds if cells[0].checkpoint.snapshots]
    files = sum(cells[0].evaluation.num_evaluations for cells in kept)
    size = sum(
        4 * num_parameters(cell) * len(cell.seeds) * cell.evaluation.num_evaluations
        for cells in kept
        for cell in cells
    )
    if not kept:
        return None
    return (
        f"snapshots: {show_size(size)} in {files} files at most, "
        f"{_time(size / _WRITING)} to write"
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
        block = plan.block if plan else LARGEST_BLOCK
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


_COMPILING_CPU, _COMPILING = 6.0, 20.0
"""Seconds to compile the programs of a shape, on CPUs and on accelerators."""

_WRITING = 3e8
"""Bytes per second at which snapshots are written."""

_PER_WEIGHT = 3e-10
"""Time of an AdamW update of one weight on a core, in seconds."""

_PER_STEP = 1e-5
"""Overhead of a step on a core, in seconds."""

_PER_LOGIT = 2e-9
"""Time for a logit, its exponential and its sums on a core, in seconds."""

_PER_EVALUATION = 1e-3
"""Overhead of an evaluation on a core, in seconds."""


def _cost(
    cells: Sequence[CellConfig], layout: _Layout, rate: float, on_cpu: bool
) -> tuple[float, float]:
    """Estimate the seconds of training and of evaluations of a round.

    All devices wait for the one with the most runs.
    """
    runs = sum(len(cell.seeds) for cell in cells)
    held = -(-runs // layout.teams)
    share = held / runs
    first = cells[0]
    num_evaluations = first.evaluation.num_evaluations

    def in_all(seconds: Callable[[CellConfig, float], float], rate: float) -> float:
        return share * sum(len(cell.seeds) * seconds(cell, rate) for cell in cells)

    training = in_all(_training, rate * layout.sharing)
    measuring = num_evaluations * in_all(_evaluation, rate)
    if not on_cpu:
        turns = -(-held // layout.at_once)
        training = max(in_all(_arithmetic, rate), turns * first.num_steps * LEAST_STEP)
        measuring = num_evaluations * in_all(_measured_products, rate)
    return training, measuring


def _training(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds of a core for the steps of one run."""
    once = _PER_WEIGHT * num_parameters(cell) + _PER_STEP
    return _arithmetic(cell, rate) + once * cell.num_steps


def _arithmetic(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds for the products of one run over pairs and elements."""
    by_element = 6.0 * cell.sizes.products_by_element(_order(cell))
    return (estimate_cost(cell) + by_element * cell.num_steps) / rate


def _evaluation(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds of a core for an evaluation of one run.

    Each irrep is ablated in five ways, from the logits of all or of the training pairs.
    """
    order = _order(cell)
    ablations = 2 + 5 * len(real_irreps(build_group(cell.group)))
    logits = ablations * order**3 * _PER_LOGIT
    return _PER_EVALUATION + logits + _measured_products(cell, rate)


def _measured_products(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds for the products of an evaluation: logits, repeatedly."""
    order = _order(cell)
    return 10.0 * cell.sizes.products(order) * order**2 / rate


def _rate_of(device_kind: str) -> float | None:
    """Return the rate for JAX's name of a device; None if it is not in `RATES`."""
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
