"""Estimate the seconds that a sweep takes: a model with measured constants.

The constants of a core were measured on 2 cores of an AMD EPYC, in CPU seconds.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from repjax.engine.plan import num_parameters
from repjax.engine.schedule import evaluation_steps
from repjax.groups import build_group
from repjax.settings.architectures import ARCHITECTURES
from repjax.settings.config import CellConfig
from repjax.settings.sweep import estimate_cost

CORE = "CPU core"

RATES = {
    CORE: 1e11,
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


class Layout(NamedTuple):
    """Number of teams of devices, devices that share a run, and runs at once."""

    teams: int
    sharing: int
    at_once: int


def estimate(
    rounds: Sequence[Sequence[CellConfig]],
    layouts: Sequence[Layout],
    num_programs: int,
    rate: float,
    on_cpu: bool,
) -> dict[str, float]:
    """Estimate the seconds of compilation, training, evaluations and files.

    Args:
        rounds: cells that train together.
        layouts: layout of each round.
        num_programs: number of programs to compile.
        rate: operations per second of a device, from `RATES`.
        on_cpu: whether the devices are cores.
    """
    costs = [
        _cost(members, layout, rate, on_cpu)
        for members, layout in zip(rounds, layouts, strict=True)
    ]
    training, measuring = (sum(each) for each in zip(*costs, strict=True))
    compiling = num_programs * (_COMPILING_CPU if on_cpu else _COMPILING)
    files = sum(_PER_CELL * len(members) for members in rounds)
    return {
        "compilation": compiling,
        "training": training,
        "evaluations": measuring,
        "files": files + sum(map(snapshot_bytes, rounds)) / WRITING,
    }


def num_evaluations(cell: CellConfig) -> int:
    """Return the number of different steps at which a cell is evaluated."""
    return len(evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations))


def snapshot_bytes(cells: Sequence[CellConfig]) -> int:
    """Return the bytes of the snapshots of a round; 0 if it keeps none."""
    if not cells[0].checkpoint.snapshots:
        return 0
    runs = sum(len(cell.seeds) for cell in cells)
    return 4 * num_parameters(cells[0]) * runs * num_evaluations(cells[0])


_COMPILING_CPU, _COMPILING = 6.0, 20.0
"""Seconds to compile the programs of a shape, on CPUs and on accelerators."""

WRITING = 3e8
"""Bytes per second at which snapshots are written."""

_PER_WEIGHT = 3e-10
"""Time of an AdamW update of one weight on a core, in seconds."""

_PER_FLOAT = 1e-10
"""Time for a float of a pair's activations or gradients on a core, in seconds."""

_PER_LOGIT = 1e-9
"""Time for a logit, its exponential and its sums on a core, in seconds."""

_PER_EVALUATION = 5e-4
"""Overhead of an evaluation on a core, in seconds."""

_PER_CELL = 3e-3
"""Time for the files of a cell and its rows in tables, in seconds."""


def _cost(
    cells: Sequence[CellConfig], layout: Layout, rate: float, on_cpu: bool
) -> tuple[float, float]:
    """Estimate the seconds of training and of evaluations of a round.

    All devices wait for the one with the most runs.
    """
    runs = sum(len(cell.seeds) for cell in cells)
    held = -(-runs // layout.teams)
    share = held / runs
    first = cells[0]
    times = num_evaluations(first)

    def in_all(seconds: Callable[[CellConfig, float], float], rate: float) -> float:
        return share * sum(len(cell.seeds) * seconds(cell, rate) for cell in cells)

    training = in_all(_training, rate * layout.sharing)
    measuring = times * in_all(_evaluation, rate)
    if not on_cpu:
        turns = -(-held // layout.at_once)
        training = max(in_all(_arithmetic, rate), turns * first.num_steps * LEAST_STEP)
        measuring = times * in_all(_measured_products, rate)
    return training, measuring


def _training(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds of a core for the steps of one run."""
    order = _order(cell)
    pairs = cell.train_fraction * order**2
    once = (
        ARCHITECTURES[cell.architecture].overhead
        + _PER_WEIGHT * num_parameters(cell)
        + _PER_FLOAT * pairs * cell.sizes.floats_per_pair(order)
    )
    return _arithmetic(cell, rate) + once * cell.num_steps


def _arithmetic(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds for the products of one run, forward and backward."""
    once = 6.0 * cell.sizes.products_once(_order(cell))
    return (estimate_cost(cell) + once * cell.num_steps) / rate


def _evaluation(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds of a core for an evaluation of one run.

    Each irrep is ablated in five ways, from the logits of all or of the training pairs.
    """
    order = _order(cell)
    ablations = 2 + 5 * build_group(cell.group).num_real_irreps
    logits = ablations * order**3 * _PER_LOGIT
    return _PER_EVALUATION + logits + _measured_products(cell, rate)


def _measured_products(cell: CellConfig, rate: float) -> float:
    """Estimate the seconds for the products of an evaluation: logits, repeatedly."""
    order = _order(cell)
    once = 6.0 * cell.sizes.products_once(order)
    return (10.0 * cell.sizes.products(order) * order**2 + once) / rate


def rate_of(device_kind: str) -> float | None:
    """Return the rate for JAX's name of a device; None if it is not in `RATES`."""
    for name, rate in RATES.items():
        if name.removesuffix(" core").removesuffix(" chip").lower() in (
            device_kind.lower()
        ):
            return rate
    return None


def _order(cell: CellConfig) -> int:
    return build_group(cell.group).order
