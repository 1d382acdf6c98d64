"""Time and memory to analyse the networks that the paper's authors published.

python benchmarks/published.py --published=DIR [--out=F.json]

Runs the two commands of a user as separate processes: `repjax.published` imports every
run folder in DIR (extra `torch`), and `repjax.table3` measures the networks and writes
their table. Both run first without compiled programs on disk, then with those of the
first time.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import timing
from repjax import command_line
from repjax.engine import backend
from repjax.reference.runs import require_torch
from repjax.settings.rules import ConfigError

_FLAGS = flags.FlagValues()
_PUBLISHED = flags.DEFINE_string(
    "published", None, "Folder of run folders.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("program", "networks", "seconds_cold", "seconds_warm", "peak_rss_gb")

_MEASURE = """
import runpy, sys
from benchmarks import timing

module, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__")
finally:
    print("peak", timing.peak_gigabytes())
"""


def main() -> None:
    """Measure both programs, twice, and report them."""
    folder = Path(_PUBLISHED.value or "").resolve()
    runs = sorted(path.parent for path in folder.glob("*/model.pt"))
    if not _PUBLISHED.value or not runs:
        raise ConfigError(
            f"--published: {_PUBLISHED.value!r} is not allowed; use a folder with the "
            "authors' run folders, each with model.pt"
        )
    require_torch()
    backend.prepare()
    timing.report(rows(runs), COLUMNS, _OUT.value)


def rows(runs: list[Path]) -> list[dict[str, Any]]:
    """Return a row for each program, and one for both."""
    with tempfile.TemporaryDirectory() as cache:
        calls = [_both(runs, cache) for _ in range(2)]
    found = []
    for program in calls[0]:
        (cold, peak), (warm, _) = (call[program] for call in calls)
        found.append(
            {
                "program": program,
                "networks": len(runs),
                "seconds_cold": cold,
                "seconds_warm": warm,
                "peak_rss_gb": peak,
            }
        )
    return found


def _both(runs: list[Path], cache: str) -> dict[str, tuple[float, float]]:
    """Return seconds and peak memory by program; compiled programs go to `cache`."""
    with tempfile.TemporaryDirectory() as workdir:
        arguments = {
            "repjax.published": [*map(str, runs), f"--workdir={workdir}"],
            "repjax.table3": [f"--workdir={workdir}", f"--out={workdir}"],
        }
        measured = {
            program: _measure(program, given, cache)
            for program, given in arguments.items()
        }
    seconds, peaks = zip(*measured.values(), strict=True)
    return {**measured, "both": (sum(seconds), max(peaks))}


def _measure(program: str, arguments: list[str], cache: str) -> tuple[float, float]:
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-c", _MEASURE, program, *arguments]
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - begin
    return seconds, float(done.stdout.rpartition("peak ")[2])


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
