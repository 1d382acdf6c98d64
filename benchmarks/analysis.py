"""A full evaluation compared with the reference's method, at sizes where that fits.

python benchmarks/analysis.py [--cells=a5-mlp,s5-mlp] [--runs=1,4] [--out=F.json]

Ours: every metric of `repjax.metrics` (`ms_per_run`), and those of the tables alone
(`ms_tables`). The reference's: logits of all pairs, an n × n × n tensor of characters
for each irrep, and for ρ(a), ρ(b) and ρ(ab) a QR decomposition of n² × d² matrix
entries, from which shares, restricted and excluded losses are read; in NumPy, one
network after another, and MLPs of groups up to S5 only. All take turns; ratios are
medians over turns; `others` is the share of the machine that other processes used.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import flags

from benchmarks import timing
from repjax import command_line
from repjax.engine import backend
from repjax.engine.ensemble import Ensemble
from repjax.groups import Group, build_group, real_irreps

_FLAGS = flags.FlagValues()
_CELLS = flags.DEFINE_string(
    "cells",
    "a5-mlp,c113-mlp,s5-mlp,s6-mlp,s6-transformer",
    "Cells of the paper.",
    flag_values=_FLAGS,
)
_RUNS = flags.DEFINE_string(
    "runs", "1,4", "Numbers of networks evaluated together.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_BUDGET = flags.DEFINE_float(
    "budget", 10.0, "Seconds of turns for each row.", flag_values=_FLAGS
)

LARGEST_ORDER = 130
"""Largest group for the reference's method: S6's n³ tensors take 1.5 GB each, and its
16-dimensional irrep a QR of 518,400 × 256."""

COLUMNS = (
    *("cell", "runs", "ms_per_run", "ms_tables", "ratio_reference", "ratio_tables"),
    "others",
)


def main() -> None:
    """Measure all rows and report them."""
    cells = _CELLS.value.split(",")
    counts = timing.numbers("runs", _RUNS.value)
    for name in cells:
        timing.paper_cell(name, 1)
    backend.prepare()
    rows = (row(name, runs, _BUDGET.value) for name in cells for runs in counts)
    timing.report(timing.measured(rows, COLUMNS, _OUT.value), COLUMNS, _OUT.value)


def row(name: str, runs: int, budget: float) -> dict[str, Any]:
    """Measure one row, with networks after a few steps of training."""
    cell = timing.paper_cell(name, runs)
    ensemble, group = Ensemble([cell]), build_group(cell.group)
    state, _ = ensemble.train(ensemble.init(), 3)
    weights = ensemble.fetch(state.params["params"])
    one = {key: np.asarray(x[0]) for key, x in weights.items()}
    actions: dict[str, Callable[[], Any]] = {
        "all": lambda: ensemble.evaluate(state),
        "tables": lambda: ensemble.evaluate(state, only_tables=True),
    }
    if cell.architecture == "mlp" and group.order <= LARGEST_ORDER:
        actions["reference"] = lambda: reference(one, group)
    with timing.Bystanders() as others:
        times = timing.interleaved(actions, budget)

    def ratio(ours: str) -> float | None:
        if "reference" not in times:
            return None
        return float(np.median(times["reference"] * runs / times[ours]))

    return {
        "cell": name,
        "runs": runs,
        "ms_per_run": 1e3 * float(np.median(times["all"])) / runs,
        "ms_tables": 1e3 * float(np.median(times["tables"])) / runs,
        "ratio_reference": ratio("all"),
        "ratio_tables": ratio("tables"),
        "turns": len(times["all"]),
        "others": others.share,
    }


def reference(weights: Mapping[str, np.ndarray], group: Group) -> dict[str, np.ndarray]:
    """Compute similarities, shares and losses of an MLP's irreps, the dense way."""
    order = group.order
    embed = weights["W_x"].shape[1]
    left, right = np.divmod(np.arange(order**2), order)
    pair = np.hstack([weights["W_x"][left], weights["W_y"][right]])
    hidden = np.maximum(pair @ weights["W"], 0)
    logits = hidden @ weights["W_U"]
    label = group.table[left, right]
    centred = logits - logits.mean(axis=1, keepdims=True)
    spread = hidden - hidden.mean(axis=0)
    tables = {
        "w_a": weights["W_x"] @ weights["W"][:embed],
        "w_b": weights["W_y"] @ weights["W"][embed:],
        "w_u": weights["W_U"].T,
    }
    quotient = group.table[label[:, None], group.inverse[None]]
    found: dict[str, list[float]] = {}
    for irrep in real_irreps(group):
        ideal = irrep.character[quotient].astype(np.float32)
        cosine = np.vdot(centred, ideal)
        cosine /= np.linalg.norm(centred) * np.linalg.norm(ideal)
        found.setdefault("similarity", []).append(cosine)
        entries = irrep.matrices.reshape(order, -1).astype(np.float32)
        for name, table in tables.items():
            found.setdefault(name, []).append(_share(entries, table)[0])
        for name, element in {"a": left, "b": right, "ab": label}.items():
            share, part = _share(entries[element], spread)
            found.setdefault(name, []).append(share)
            if name == "ab":
                only, rest = part @ weights["W_U"], (hidden - part) @ weights["W_U"]
                found.setdefault("restricted", []).append(_loss(only, label))
                found.setdefault("excluded", []).append(_loss(rest, label))
    return {name: np.array(values) for name, values in found.items()}


def _share(entries: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the share of `values` in the column span of `entries`, and that part."""
    basis, _ = np.linalg.qr(entries)
    part = basis @ (basis.T @ values)
    return float(np.sum(part**2) / np.sum(values**2)), part


def _loss(logits: np.ndarray, label: np.ndarray) -> float:
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(label)), label]))


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
