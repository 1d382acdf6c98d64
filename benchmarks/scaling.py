"""Cost of a training step as a function of group, number of runs and of devices.

python benchmarks/scaling.py [--small] [--out=F.json] [--plot=F.svg]

MLPs of the paper at a training fraction of 0.3, each point in a process of its own. For
each family of groups, exponents in n are fitted to milliseconds per run and step and to
operations (`timing.step_flop`): if they agree, large groups cost no more than they
must. In small groups other work than products counts, so the growth between a family's
two largest groups is given too.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
from absl import flags
from matplotlib.figure import Figure

from benchmarks import timing
from benchmarks.train_step import trainer
from experiments import base
from repjax import command_line
from repjax.engine import backend
from repjax.groups import build_group
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.sweep import expand

_FLAGS = flags.FlagValues()
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_PLOT = flags.DEFINE_string("plot", None, "SVG of the costs.", flag_values=_FLAGS)
_SMALL = flags.DEFINE_bool("small", False, "A few small points.", flag_values=_FLAGS)
_BUDGET = flags.DEFINE_float(
    "budget", 3.0, "Seconds of turns for each point.", flag_values=_FLAGS
)
_POINT = flags.DEFINE_string(
    "point", None, "GROUP:RUNS[:DEVICES] to measure here.", flag_values=_FLAGS
)

FAMILIES = {
    "C_p": ("C31", "C61", "C113", "C211"),
    "D_p": ("D31", "D59", "D113"),
    "S_k": ("S4", "S5", "S6"),
}
SMALL_FAMILIES = {"C_p": ("C7", "C13"), "S_k": ("S3", "S4")}
COLUMNS = (
    *("kind", "group", "order", "runs", "devices", "ms_per_run_step", "gflop"),
    *("gflop_per_second", "others"),
)
FITS = ("exponent", "exponent_of_operations", "growth", "growth_of_operations")


def main() -> None:
    """Measure all points, each in a process of its own, and report them."""
    if _POINT.value:
        print(json.dumps(point(_BUDGET.value, *_POINT.value.split(":"))))
        return
    backend.prepare()
    rows = timing.measured(_rows(_SMALL.value, _BUDGET.value), COLUMNS, _OUT.value)
    fitted = fits(rows)
    rows = [row | fitted.get(row["kind"], {}) for row in rows]
    timing.report(rows, COLUMNS, _OUT.value)
    for family, fit in fitted.items():
        print(
            "{}: time ~ n^{exponent:.2f}, operations ~ n^{exponent_of_operations:.2f}; "
            "between the two largest {growth:.2f} and {growth_of_operations:.2f} "
            "times as much".format(family, **fit)
        )
    if _PLOT.value:
        _plot(rows, Path(_PLOT.value))


def _rows(small: bool, budget: float) -> Iterator[dict[str, Any]]:
    """Yield points against n, with two runs a core; then against runs and devices."""
    for family, groups in (SMALL_FAMILIES if small else FAMILIES).items():
        for group in groups:
            yield {"kind": family, **_in_a_process(budget, group, 4)}
    group = "S3" if small else "S5"
    for runs in (1, 2) if small else (1, 2, 4, 8, 16):
        yield {"kind": "runs", **_in_a_process(budget, group, runs)}
    for devices in (1, 2) if small else (1, 2, 4, 8):
        if jax.default_backend() == "cpu" or devices <= jax.device_count():
            yield {"kind": "devices", **_in_a_process(budget, group, 8, devices)}


def _in_a_process(
    budget: float, group: str, runs: int, devices: int | None = None
) -> dict[str, Any]:
    """Measure a point in a new process; on CPUs, `devices` share all cores.

    An accelerator is held by this process, which then measures the point itself.
    """
    if jax.default_backend() != "cpu":
        return point(budget, group, str(runs), devices and str(devices))
    environment = dict(os.environ)
    named = f"{group}:{runs}"
    if devices:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
        named += f":{devices}"
    command = [sys.executable, __file__, f"--point={named}", f"--budget={budget}"]
    done = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def point(
    budget: float, group: str, runs: str, devices: str | None = None
) -> dict[str, Any]:
    """Measure the cost of one group and number of runs, by default on all devices."""
    backend.prepare()
    cell = _cell(group, int(runs))
    used = jax.devices()[: int(devices) if devices else None]
    train, steps = trainer(cell, used)
    with timing.Bystanders() as others:
        times = timing.interleaved({"ours": train}, budget)["ours"]
    ms = 1e3 * float(np.median(times)) / steps / int(runs)
    gflop = timing.step_flop(cell) / 1e9
    return {
        "group": group,
        "order": build_group(group).order,
        "runs": int(runs),
        "devices": len(used),
        "ms_per_run_step": ms,
        "gflop": gflop,
        "gflop_per_second": 1e3 * gflop / ms,
        "others": others.share,
    }


def _cell(group: str, runs: int) -> CellConfig:
    config = base.get_config()
    config.groups, config.num_seeds, config.train_fraction = (group,), runs, 0.3
    (cell,) = expand(from_config_dict(config))
    return cell


def fits(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return each family's exponents in n, and growth between its two largest groups.

    Both are given for time and for operations, under the names in `FITS`.
    """
    fitted = {}
    for family in FAMILIES:
        points = [row for row in rows if row["kind"] == family]
        if len(points) < 2:
            continue
        points.sort(key=lambda row: row["order"])
        order = np.log([row["order"] for row in points])
        exponents, growths = [], []
        for name in ("ms_per_run_step", "gflop"):
            values = np.array([row[name] for row in points])
            exponents.append(float(np.polyfit(order, np.log(values), 1)[0]))
            growths.append(float(values[-1] / values[-2]))
        fitted[family] = dict(zip(FITS, exponents + growths, strict=True))
    return fitted


def _plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the cost against n, runs and devices, side by side."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    against_n, against_runs, against_devices = figure.subplots(1, 3)
    for family, marker in zip(FAMILIES, "os^", strict=True):
        points = [row for row in rows if row["kind"] == family]
        if not points:
            continue
        order, time, work = (
            np.array([row[name] for row in points])
            for name in ("order", "ms_per_run_step", "gflop")
        )
        (line,) = against_n.loglog(order, time, marker=marker, label=family)
        ideal = time[-1] * work / work[-1]
        against_n.loglog(order, ideal, linestyle=":", color=line.get_color())
    against_n.plot([], [], linestyle=":", color="grey", label="operations, scaled")
    against_n.set(xlabel="order n of the group", ylabel="ms per run and step")
    against_n.legend()
    for axes, kind in ((against_runs, "runs"), (against_devices, "devices")):
        points = [row for row in rows if row["kind"] == kind]
        axes.plot(
            [row[kind] for row in points],
            [row["ms_per_run_step"] for row in points],
            marker="o",
        )
        axes.set(xlabel=kind, ylabel="ms per run and step", ylim=(0, None))
    with matplotlib.rc_context({"svg.hashsalt": "repjax"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
