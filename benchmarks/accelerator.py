"""Training on a GPU or TPU, compared with the least time its data sheet allows.

python benchmarks/accelerator.py [--cells=a5-mlp,s6-mlp] [--precisions=highest]
    [--small] [--out=F.json]

Run-steps per second of many runs of the A5 and S5 MLP, and of a few of S6, in each
matmul precision; beside them the floor set by arithmetic (operations of the products in
a step, over the device's peak in that precision) and the one set by memory (bytes that
a step must move if every block of activations leaves the chip once). On a CPU there are
only a few small rows, to try it out; `--small` and `--nosmall` override this.
"""

from collections.abc import Collection, Iterator
from typing import Any

import jax
import numpy as np
from absl import flags

from benchmarks import timing
from benchmarks.train_step import trainer
from repjax import command_line
from repjax.engine import backend
from repjax.engine.placement import plan_for
from repjax.engine.plan import num_parameters
from repjax.groups import build_group
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError

_FLAGS = flags.FlagValues()
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_SMALL = flags.DEFINE_bool(
    "small", None, "A few small rows; by default only on CPUs.", flag_values=_FLAGS
)
_BUDGET = flags.DEFINE_float(
    "budget", 5.0, "Seconds of turns for each row.", flag_values=_FLAGS
)

_CELLS = flags.DEFINE_list(
    "cells", None, "Cells to measure; by default all.", flag_values=_FLAGS
)
_PRECISIONS = flags.DEFINE_list(
    "precisions", None, "default, high, highest; by default all.", flag_values=_FLAGS
)

PRECISIONS = ("default", "high", "highest")

PEAKS = {
    "NVIDIA H200": ((495e12, 495e12, 67e12), 4.8e12),
    "NVIDIA H100 80GB HBM3": ((495e12, 495e12, 67e12), 3.35e12),
    "NVIDIA H100 PCIe": ((378e12, 378e12, 51e12), 2.0e12),
    "NVIDIA A100-SXM4-80GB": ((156e12, 156e12, 19.5e12), 2.04e12),
    "NVIDIA A100-SXM4-40GB": ((156e12, 156e12, 19.5e12), 1.56e12),
    "TPU v4": ((275e12, 275e12 / 3, 275e12 / 6), 1.2e12),
    "TPU v5": ((459e12, 459e12 / 3, 459e12 / 6), 2.77e12),
    "TPU v5 lite": ((197e12, 197e12 / 3, 197e12 / 6), 0.82e12),
    "TPU v6 lite": ((918e12, 918e12 / 3, 918e12 / 6), 1.64e12),
}
"""JAX's name of a device → operations a second in `PRECISIONS`, bytes a second.

NVIDIA: data sheets of H200, H100 and A100, dense TF32 for `default` and `high`, which
are the same on GPUs (`jax.lax.Precision`), float32 for `highest`. Google: pages "TPU
v4", "v5p", "v5e" and "v6e" of the Cloud TPU documentation, bfloat16 per chip, of which
`high` takes three products and `highest` six.
"""

COLUMNS = (
    *("cell", "precision", "runs", "run_steps_per_second", "ms_per_run_step"),
    *("ms_arithmetic", "ms_memory"),
)


def main() -> None:
    """Measure all rows and report them."""
    backend.prepare()
    small = jax.default_backend() == "cpu" if _SMALL.value is None else _SMALL.value
    cells = list(_cells(small))
    names = _chosen("cells", _CELLS.value, dict(cells))
    precisions = _chosen("precisions", _PRECISIONS.value, PRECISIONS)
    rows = (
        row(name, runs, precision, _BUDGET.value)
        for name, runs in cells
        for precision in precisions
        if name in names
    )
    timing.report(timing.measured(rows, COLUMNS, _OUT.value), COLUMNS, _OUT.value)


def _chosen(
    flag: str, values: list[str] | None, known: Collection[str]
) -> Collection[str]:
    """Return the values of a flag, or all known values."""
    if values is None:
        return known
    for value in values or [""]:
        if value not in known:
            raise ConfigError(
                f"--{flag}: {value!r} is not allowed; use some of {', '.join(known)}"
            )
    return values


def _cells(small: bool) -> Iterator[tuple[str, int]]:
    if small:
        yield from (("a5-mlp", 2), ("a5-transformer", 1))
        return
    for name in ("a5-mlp", "s5-mlp"):
        yield from ((name, runs) for runs in (4, 50, 500, 1000))
    yield from (("s6-mlp", 4), ("s6-transformer", 4))


def row(name: str, runs: int, precision: str, budget: float) -> dict[str, Any]:
    """Measure one cell in one precision."""
    cell = timing.paper_cell(name, runs, matmul_precision=precision)
    train, steps = trainer(cell)
    lists_pairs = plan_for(cell).lists_pairs
    with timing.Bystanders() as others:
        times = timing.interleaved({"ours": train}, budget)["ours"]
    step = float(np.median(times)) / steps / runs
    kind = backend.device_kind()
    arithmetic, memory = floors(cell, precision, kind, lists_pairs)
    devices = min(jax.device_count(), runs)
    return {
        "cell": name,
        "precision": precision,
        "runs": runs,
        "run_steps_per_second": 1 / step,
        "ms_per_run_step": 1e3 * step,
        "ms_arithmetic": arithmetic and 1e3 * arithmetic / devices,
        "ms_memory": memory and 1e3 * memory / devices,
        "others": others.share,
    }


def floors(
    cell: CellConfig, precision: str, device_kind: str, lists_pairs: bool
) -> tuple[float | None, float | None]:
    """Return seconds per run and step for arithmetic and memory; None if unknown.

    Where pairs are listed, the gradient of a look-up is no product: its sums read each
    looked-up float once more.
    """
    if device_kind not in PEAKS:
        return None, None
    peaks, bandwidth = PEAKS[device_kind]
    peak = peaks[PRECISIONS.index(precision)]
    flop, moved = timing.step_flop(cell), step_bytes(cell)
    looked_up = cell.train_fraction * build_group(cell.group).order ** 2
    looked_up *= cell.sizes.looked_up
    if lists_pairs:
        moved += 4.0 * looked_up
    else:
        flop += 2.0 * looked_up * build_group(cell.group).order
    return flop / peak, moved / bandwidth


def step_bytes(cell: CellConfig) -> float:
    """Count the bytes that a step of one run moves: AdamW's, activations, logits.

    AdamW reads weights, two moments and gradient, and writes all but the last; hidden
    layer and logits are written and read once forward and once backward.
    """
    order = build_group(cell.group).order
    activations = cell.sizes.num_neurons + order
    pairs = cell.train_fraction * order**2
    return 4.0 * (7 * num_parameters(cell) + 4 * pairs * activations)


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
