"""Tools for all benchmarks: interleaved times, the machine's own rate, a report.

The machines are shared, so a time alone means little: peers take turns, and two of them
are compared by the median of the ratios within each turn.
"""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tabulate import tabulate

from experiments import table3
from repjax.engine import backend
from repjax.engine.manifest import commit
from repjax.groups import build_group
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import estimate_cost, expand
from repjax.storage.files import write_text

GEMM_SIZE = 3000
"""Rows of the square matrices whose product is the machine's own rate."""


def seconds(action: Callable[[], Any]) -> float:
    """Time one call, waiting for its result."""
    start = time.perf_counter()
    jax.block_until_ready(action())
    return time.perf_counter() - start


def interleaved(
    actions: Mapping[str, Callable[[], Any]], budget: float, least: int = 3
) -> dict[str, np.ndarray]:
    """Time every action in every turn, after one call of each to warm up.

    Args:
        actions: name → call; in each turn all are called, one after the other.
        budget: seconds after which no further turn begins.
        least: minimum number of turns.
    """
    for action in actions.values():
        seconds(action)
    times: dict[str, list[float]] = {name: [] for name in actions}
    begin, turns = time.perf_counter(), 0
    while turns < least or time.perf_counter() - begin < budget:
        for name, action in actions.items():
            times[name].append(seconds(action))
        turns += 1
    return {name: np.array(values) for name, values in times.items()}


class Bystanders:
    """Context that measures the work of all other processes.

    Much of it spoils ratios: with both cores also used by others, the torch steps,
    which wait for all threads after every product, were 3 times as far behind.

    Attributes:
        share: share of all cores that others used; None where it cannot be measured.
    """

    share: float | None = None

    def __enter__(self) -> "Bystanders":
        self._before = _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        after = _cpu_seconds()
        if self._before is not None and after is not None:
            everybody, mine, wall = np.subtract(after, self._before)
            cores = os.cpu_count() or 1
            self.share = float(max(0.0, everybody - mine) / (wall * cores))


def _cpu_seconds() -> tuple[float, float, float] | None:
    """Return CPU seconds of all processes and of this one, and the time.

    The first includes what the host of a virtual machine took for others ("steal").
    None on other systems than Linux.
    """
    try:
        (line, *_) = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    user, nice, system, _, _, irq, soft, steal = map(int, line.split()[1:9])
    busy = user + nice + system + irq + soft + steal
    return busy / os.sysconf("SC_CLK_TCK"), time.process_time(), time.perf_counter()


def for_a_turn(
    step: Callable[[], Any], length: float, wait: Callable[[], Any] = lambda: None
) -> tuple[Callable[[], Any], int]:
    """Return a call that repeats `step` for about `length` seconds, and how often.

    If their turns are equally long, other processes disturb all peers equally. `wait`
    waits for the results of steps that are not JAX's.
    """

    def once():
        result = step()
        wait()
        return result

    seconds(once)
    repeats = max(1, round(length / min(seconds(once) for _ in range(2))))

    def turn():
        for _ in range(repeats - 1):
            step()
        return once()

    return turn, repeats


def gemm() -> Callable[[], Any]:
    """Return a product of two large matrices, full float32, on the first device."""
    x = jnp.ones((GEMM_SIZE, GEMM_SIZE), jnp.float32)
    product = jax.jit(lambda x: jnp.matmul(x, x, precision="highest"))
    return lambda: product(x)


def gemm_flop() -> float:
    """Count the floating-point operations of that product, if every device made one.

    On a CPU all cores make one product together.
    """
    devices = 1 if jax.default_backend() == "cpu" else jax.device_count()
    return 2.0 * GEMM_SIZE**3 * devices


def paper_cell(name: str, runs: int, **changes: Any) -> CellConfig:
    """Return a cell of experiments/table3.py, such as "s5-mlp", with `runs` runs.

    Raises:
        ConfigError: no such cell.
    """
    group, _, architecture = name.partition("-")
    config = table3.get_config()
    if architecture not in config.architectures or group.upper() not in config.groups:
        known = ", ".join(f"{g.lower()}-mlp" for g in config.groups)
        raise ConfigError(
            f"--cells: {name!r} is not allowed; use some of {known}, or the same with "
            "transformer for mlp"
        )
    config.groups, config.architectures = (group.upper(),), (architecture,)
    config.num_seeds = runs
    config.update_from_flattened_dict(changes)
    (cell,) = expand(from_config_dict(config), changes)
    return cell


def step_flop(cell: CellConfig) -> float:
    """Count the floating-point operations of the products in one step of one run.

    Three products (one forward, two backward) for every weight that meets pairs, and
    three for every table over elements, which meets none.
    """
    order = build_group(cell.group).order
    if cell.architecture == "transformer":
        sizes = cell.transformer
        values = sizes.num_heads * sizes.d_head
        table = sizes.d_model * values * (2 * order + sizes.d_mlp)
        if (rows := values + sizes.d_mlp) * order < sizes.d_model * (rows + order):
            table += sizes.d_model * rows * order
    else:
        table = 2 * order * cell.mlp.embed_dim * cell.mlp.hidden_dim
    return estimate_cost(cell) / cell.num_steps + 3 * 2.0 * table


def machine() -> dict[str, Any]:
    """Describe the machine and the versions of the software."""
    versions = {}
    for package in ("jax", "jaxlib", "numpy", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": backend.processor(),
        "devices": f"{jax.device_count()} x {backend.device_kind()}",
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
    }


def peak_gigabytes() -> float:
    """Return the peak resident memory of this process so far, in units of 2³⁰ bytes.

    Read from /proc on Linux, where a process inherits a larger `ru_maxrss` from its
    parent (1.41 for a Python of 0.01, started by one of 1.4).
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, else KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20


def numbers(flag: str, text: str) -> tuple[int, ...]:
    """Parse positive integers such as "1,4,16"; `ConfigError` if they are not."""
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or min(values) < 1:
        raise ConfigError(
            f"--{flag}: {text!r} is not allowed; use integers from 1, as in 1,4,16"
        )
    return values


def measured(
    rows: Iterable[dict[str, Any]], columns: Sequence[str], out: str | None
) -> list[dict[str, Any]]:
    """Return the rows, printing each on stderr and writing it once it is measured.

    All rows take minutes; after an interruption, `out` has those measured before.
    """
    done = []
    for row in rows:
        values = (f"{name} {_shown(row[name])}" for name in columns)
        print(f"repjax: {', '.join(values)}", file=sys.stderr, flush=True)
        done.append(row)
        _write(done, out)
    return done


def report(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], out: str | None
) -> None:
    """Print a table of `columns`, and write all of every row to `out` as JSON."""
    table = [[_shown(row[name]) for name in columns] for row in rows]
    about = machine()
    versions = [f"{name} {version}" for name, version in about["versions"].items()]
    print(f"{about['processor']}, {about['devices']}, commit {about['commit']}")
    print(f"python {about['python']}, {', '.join(versions)}")
    print(tabulate(table, columns, disable_numparse=True))
    _write([{**row, **about} for row in rows], out)
    if out:
        print(f"repjax: written: {out}", file=sys.stderr)


def _write(rows: Sequence[Mapping[str, Any]], out: str | None) -> None:
    if out:
        write_text(Path(out), json.dumps(rows, indent=1) + "\n")


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
