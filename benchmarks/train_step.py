"""A training step compared with the machine's limit and with torch.

python benchmarks/train_step.py [--cells=s5-mlp,a5-mlp] [--runs=1,4] [--out=F.json]
    [--precision=default]

For each cell of the paper and each number of runs: milliseconds per step and run, the
share of the rate that a large product reaches in the same process, the peak of resident
memory in a process without torch, and how many times longer the authors' step of one
run and the step of an ensemble in torch take (`torch_peers.py`, extra `torch`). All
take turns: ours, product, peer, peer, ours …; ratios are medians over turns, and worth
nothing if other processes used much of the machine meanwhile (last column). On an
NVIDIA GPU all run there; in the precision "default" TF32 is allowed to all but the
large product.

The operations of a step are those of its products: three for every weight that is
applied to pairs (one forward, two backward) and three for every table over elements
(`timing.step_flop`). Exponentials, look-ups and AdamW take time but are not counted.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags

from benchmarks import timing
from repjax import command_line
from repjax.engine import backend
from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import build_ensemble
from repjax.settings.config import CellConfig

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
_PRECISION = flags.DEFINE_enum(
    "precision",
    "highest",
    ["default", "high", "highest"],
    "Precision of products.",
    flag_values=_FLAGS,
)
_PEERS = flags.DEFINE_bool("peers", True, "Time the peers too.", flag_values=_FLAGS)
_PEAK_OF = flags.DEFINE_string(
    "peak_of",
    None,
    "CELL:RUNS to train in this process, which prints its peak memory and exits.",
    flag_values=_FLAGS,
)

COLUMNS = (
    *("cell", "runs", "ms_per_run_step", "gemm_share", "peak_rss_gb"),
    *("ratio_published", "ratio_torch_ensemble", "torch_ensemble", "others"),
)

TURN_SECONDS = 0.4
"""Length of a turn, for us and for each peer; a turn has at least one step."""

MOST_ELEMENTS = {"cpu": 2e8, "cuda": 5e8}
"""Runs × pairs × classes above which the torch ensemble is left out.

It holds several float64 arrays of that size: 2e8 elements take 1.6 GB each. Of a GPU's
memory JAX leaves a quarter to torch.
"""


class Peers(NamedTuple):
    """The steps that ours is compared with.

    Attributes:
        steps: name → a call that takes one step.
        ensemble: how the torch ensemble runs, or why it does not; None without torch.
        wait: waits for steps that were started.
    """

    steps: dict[str, Callable[[], Any]]
    ensemble: str | None
    wait: Callable[[], Any] = lambda: None


def main() -> None:
    """Measure all rows and report them."""
    if _PEAK_OF.value:
        name, _, runs = _PEAK_OF.value.partition(":")
        print(peak_of_training(name, int(runs)))
        return
    cells = _CELLS.value.split(",")
    counts = timing.numbers("runs", _RUNS.value)
    for name in cells:
        timing.paper_cell(name, 1)  # reports a misspelt cell before measuring
    backend.prepare()
    device = _device_of_peers() if _PEERS.value else None
    rows = (
        row(name, runs, _BUDGET.value, device, _PRECISION.value)
        for name in cells
        for runs in counts
    )
    timing.report(timing.measured(rows, COLUMNS, _OUT.value), COLUMNS, _OUT.value)


def _device_of_peers() -> str | None:
    """Return torch's name of the device of the peers; None, with a reason, if none."""
    reason = None
    if find_spec("torch") is None:
        reason = "pip install 'repjax[torch]'"
    elif jax.default_backend() == "cpu":
        return "cpu"
    else:
        import torch

        if torch.cuda.is_available():
            return "cuda"
        reason = "torch sees no GPU"
    print(f"repjax: no peers: {reason}", file=sys.stderr)
    return None


def row(
    name: str, runs: int, budget: float, device: str | None, precision: str = "highest"
) -> dict[str, Any]:
    """Measure one row; without a device, peers are not timed and None."""
    cell = timing.paper_cell(name, runs, matmul_precision=precision)
    peers = peers_of(cell, device) if device else Peers({}, None)
    ours, steps = trainer(cell)
    actions, repeats = {"ours": ours}, {"ours": steps}
    for peer, one in {"gemm": timing.gemm(), **peers.steps}.items():
        turn = timing.for_a_turn(one, TURN_SECONDS, peers.wait)
        actions[peer], repeats[peer] = turn
    with timing.Bystanders() as others:
        turns = timing.interleaved(actions, budget)
    times = {peer: seconds / repeats[peer] for peer, seconds in turns.items()}
    step = times["ours"] / runs
    rate = timing.gemm_flop() / times["gemm"]

    def ratio(peer: str, runs_of_peer: int) -> float | None:
        if peer not in times:
            return None
        return float(np.median(times[peer] / runs_of_peer / step))

    return {
        "cell": name,
        "runs": runs,
        "precision": precision,
        "ms_per_run_step": 1e3 * float(np.median(step)),
        "ratio_published": ratio("published", 1),
        "ratio_torch_ensemble": ratio("ensemble", runs),
        "torch_ensemble": peers.ensemble,
        "gemm_share": float(np.median(timing.step_flop(cell) / step / rate)),
        "gemm_gflop_per_second": float(np.median(rate)) / 1e9,
        "peak_rss_gb": _peak_in_a_process_of_its_own(name, runs),
        "turns": len(step),
        "others": others.share,
    }


def trainer(
    cell: CellConfig, devices: Sequence[jax.Device] | None = None
) -> tuple[Callable[[], Any], int]:
    """Return a call that trains all runs for a turn, and its number of steps."""
    ensemble = build_ensemble([cell], devices)
    state = ensemble.init()

    def train(steps: int) -> Any:
        nonlocal state
        state, loss = ensemble.train(state, steps)
        return loss

    timing.seconds(partial(train, 1))  # compiles
    once = min(timing.seconds(partial(train, 1)) for _ in range(2))
    steps = max(1, round(TURN_SECONDS / once))
    return partial(train, steps), steps


def peers_of(cell: CellConfig, device: str) -> Peers:
    """Build the torch steps on a device, starting from the same weights as ours."""
    from benchmarks.torch_peers import PublishedStep, TorchEnsemble, allow_tf32, wait

    if cell.matmul_precision != "highest":
        allow_tf32()
    ensemble = Ensemble([cell])
    state = ensemble.fetch(ensemble.init())
    weights, pairs = state.params["params"], state.train_pairs
    one = jax.tree.map(lambda x: x[0], weights)
    steps = {"published": PublishedStep(cell, one, pairs[0], device).step}
    if pairs.size * ensemble.model.order > MOST_ELEMENTS[device]:
        return Peers(steps, "too large", wait)
    every = TorchEnsemble(cell, weights, pairs, device)
    return Peers(steps | {"ensemble": every.step}, every.how, wait)


def peak_of_training(name: str, runs: int) -> float:
    """Return this process's peak memory in GB after compilation and two steps."""
    backend.prepare()
    ensemble = Ensemble([timing.paper_cell(name, runs)])
    state, loss = ensemble.train(ensemble.init(), 2)
    jax.block_until_ready((state, loss))
    return timing.peak_gigabytes()


def _peak_in_a_process_of_its_own(name: str, runs: int) -> float | None:
    """Measure the peak in a new process; None on accelerators, held by this one."""
    if jax.default_backend() != "cpu":
        return None
    command = [sys.executable, __file__, f"--peak_of={name}:{runs}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
