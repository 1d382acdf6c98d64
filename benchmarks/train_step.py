"""A training step beside the machine's own limit and what users have today.

python benchmarks/train_step.py [--cells=s5-mlp,a5-mlp] [--runs=1,4] [--out=F.json]

For each cell of the paper and each number of runs: milliseconds per step and run, the
share of the rate that a large product reaches in the same process (operations of the
products in a step, tables over elements included, see `timing.step_flop`), the peak of
resident memory in a process of its own, and how many times longer a step of one run
takes in the authors' way and a step of an ensemble in torch (`torch_peers.py`, extra
`torch`). All take turns; ratios are medians over turns.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from benchmarks import timing
from repjax import backend, command_line
from repjax.config import CellConfig
from repjax.ensemble import Ensemble

_FLAGS = flags.FlagValues()
_CELLS = flags.DEFINE_string(
    "cells",
    "s5-mlp,a5-mlp,c113-mlp,s6-mlp,s5-transformer,c113-transformer",
    "Cells of the paper.",
    flag_values=_FLAGS,
)
_RUNS = flags.DEFINE_string(
    "runs", "1,4,16", "Numbers of runs trained together.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_BUDGET = flags.DEFINE_float(
    "budget", 10.0, "Seconds of turns for each row.", flag_values=_FLAGS
)
_PEERS = flags.DEFINE_bool("peers", True, "Time the peers too.", flag_values=_FLAGS)

COLUMNS = (
    *("cell", "runs", "ms_per_run_step", "gemm_share", "peak_rss_gb"),
    *("ratio_published", "ratio_torch_ensemble"),
)

TURN_SECONDS = 0.5
"""Steps of ours in a turn take about so long, at least one."""

MOST_ELEMENTS = 4e8
"""Runs × pairs × classes above which the torch ensemble is left out.

It holds several float64 arrays of that size: 4e8 elements take 3.2 GB each.
"""


def main() -> None:
    """Measures all rows and reports them."""
    cells = _CELLS.value.split(",")
    counts = timing.numbers("runs", _RUNS.value)
    for name in cells:
        timing.paper_cell(name, 1)  # a misspelt one is to be known before the first
    backend.prepare()
    rows = [
        row(name, runs, _BUDGET.value, _PEERS.value)
        for name in cells
        for runs in counts
    ]
    timing.report(rows, COLUMNS, _OUT.value)


def row(name: str, runs: int, budget: float, peers: bool) -> dict[str, Any]:
    """One row; peers that cannot be timed here are None."""
    cell = timing.paper_cell(name, runs)
    memory = _peak_in_a_process_of_its_own(name, runs) if peers else None
    ours, steps = trainer(cell)
    actions: dict[str, Callable[[], Any]] = {"ours": ours, "gemm": timing.gemm()}
    if peers:
        actions |= dict(_peers(cell))
    times = timing.interleaved(actions, budget)
    step = times["ours"] / steps / runs
    rate = timing.gemm_flop() / times["gemm"]

    def ratio(peer: str, run_steps: int) -> float | None:
        if peer not in times:
            return None
        return float(np.median(times[peer] / run_steps / step))

    return {
        "cell": name,
        "runs": runs,
        "ms_per_run_step": 1e3 * float(np.median(step)),
        "ratio_published": ratio("published", 1),
        "ratio_torch_ensemble": ratio("ensemble", runs),
        "gemm_share": float(np.median(timing.step_flop(cell) / step / rate)),
        "gemm_gflop_per_second": float(np.median(rate)) / 1e9,
        "peak_rss_gb": memory
        or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "turns": len(step),
    }


def trainer(cell: CellConfig) -> tuple[Callable[[], Any], int]:
    """A call that trains all runs for a while, and for how many steps."""
    ensemble = Ensemble(cell)
    state = ensemble.init()

    def train(steps: int) -> Any:
        nonlocal state
        state, loss = ensemble.train(state, steps)
        return loss

    timing.seconds(partial(train, 1))  # compiles
    once = min(timing.seconds(partial(train, 1)) for _ in range(2))
    steps = max(1, round(TURN_SECONDS / once))
    return partial(train, steps), steps


def _peers(cell: CellConfig) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The torch steps, from the weights that ours begin with."""
    if not find_spec("torch"):
        print("repjax: no peers: pip install -e '.[torch]'", file=sys.stderr)
        return
    from benchmarks.torch_peers import PublishedStep, TorchEnsemble

    ensemble = Ensemble(cell)
    state = ensemble.fetch(ensemble.init())
    weights, pairs = state.params["params"], state.train_pairs
    one = jax.tree.map(lambda x: x[0], weights)
    yield "published", PublishedStep(cell, one, pairs[0]).step
    if pairs.size * ensemble.basis.labels.shape[0] <= MOST_ELEMENTS:
        yield "ensemble", TorchEnsemble(cell, weights, pairs).step


def _peak_in_a_process_of_its_own(name: str, runs: int) -> float:
    """Peak resident memory in GB of training alone, without torch in the process."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [sys.executable, __file__, f"--cells={name}", f"--runs={runs}"]
        command += ["--peers=false", "--budget=0", f"--out={out}"]
        subprocess.run(command, check=True, capture_output=True)
        return json.loads(out.read_text())[0]["peak_rss_gb"]


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
