"""Where the time of a training step goes: network, cross-entropy, everything else.

python benchmarks/breakdown.py [--cells=s5-transformer,s6-mlp] [--runs=4] [--out=F.json]

Three programs take turns: training as it is; training without the cross-entropy, with a
given gradient at the logits; and training without any pairs, which leaves tables over
elements, AdamW and the loops. `network_gemm_percent` is the rate of the step's products
during the network's share of the time, relative to a product of two large matrices.
"""

from contextlib import ExitStack
from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np
from absl import flags

from benchmarks import timing
from benchmarks.train_step import TURN_SECONDS, trainer
from repjax import command_line
from repjax.engine import backend
from repjax.groups import build_group
from repjax.settings.config import CellConfig
from repjax.training import step

_FLAGS = flags.FlagValues()
_CELLS = flags.DEFINE_string(
    "cells",
    "a5-mlp,s5-mlp,c113-mlp,s6-mlp,s5-transformer,c113-transformer",
    "Cells of the paper.",
    flag_values=_FLAGS,
)
_RUNS = flags.DEFINE_integer(
    "runs", 4, "Runs of each cell.", lower_bound=1, flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_BUDGET = flags.DEFINE_float(
    "budget", 5.0, "Seconds of turns for each row.", flag_values=_FLAGS
)

COLUMNS = (
    *("cell", "runs", "ms_per_run_step", "network_percent", "cross_entropy_percent"),
    *("other_percent", "network_gemm_percent"),
)


def main() -> None:
    """Measure all rows and report them."""
    names = _CELLS.value.split(",")
    for name in names:
        timing.paper_cell(name, 1)
    backend.prepare()
    rows = (row(name, _RUNS.value, _BUDGET.value) for name in names)
    timing.report(timing.measured(rows, COLUMNS, _OUT.value), COLUMNS, _OUT.value)


def row(name: str, runs: int, budget: float) -> dict[str, Any]:
    """One cell."""
    cell = timing.paper_cell(name, runs)
    actions, repeats = {}, {}
    for part, replaced in {
        "step": {},
        "without cross-entropy": {"cross_entropy": _linear(cell)},
        "without pairs": {"sum_over_blocks": _no_pairs},
    }.items():
        with ExitStack() as stack:
            for function, by in replaced.items():
                stack.enter_context(mock.patch.object(step, function, by))
            actions[part], repeats[part] = trainer(cell)
    gemm, repeats["gemm"] = timing.for_a_turn(timing.gemm(), TURN_SECONDS)
    with timing.Bystanders() as others:
        turns = timing.interleaved({**actions, "gemm": gemm}, budget)
    times = {part: seconds / repeats[part] for part, seconds in turns.items()}
    whole, other = times["step"], times["without pairs"]
    cross_entropy = whole - times["without cross-entropy"]
    network = times["without cross-entropy"] - other
    rate = timing.gemm_flop() / times["gemm"]
    reached = timing.step_flop(cell) * runs / network

    def percent(part: np.ndarray) -> float:
        return 100 * float(np.median(part))

    return {
        "cell": name,
        "runs": runs,
        "ms_per_run_step": 1e3 * float(np.median(whole)) / runs,
        "network_percent": percent(network / whole),
        "cross_entropy_percent": percent(cross_entropy / whole),
        "other_percent": percent(other / whole),
        "network_gemm_percent": percent(reached / rate),
        "others": others.share,
    }


def _linear(cell: CellConfig) -> Any:
    """Return a loss whose gradient at the logits is given, without any softmax."""
    order = build_group(cell.group).order
    by_class = np.random.default_rng(0).normal(size=(order, 1)).astype(np.float32)

    def linear(logits, labels, axis):
        # A different one for each pair, or XLA would use smaller products.
        by_pair = 1.0 + labels.astype(jnp.float32)[None]
        return jnp.sum(logits * (by_class * by_pair), axis)

    return linear


def _no_pairs(function: Any, *_: Any) -> Any:
    """Stand in for the sum over pairs: loss 0, with the tables as the gradient."""
    return jnp.float32(0), function.args[0]


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
