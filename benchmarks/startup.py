"""Seconds from the command to the first training step, cold and warm.

python benchmarks/startup.py [--cells=a5-mlp,s5-mlp] [--out=F.json]

Runs `python -m repjax.main` until it reports its first step, first with no compiled
program on disk, then with those that the first call left there. The time covers
imports, irreps, compilation, the full evaluation at step 0 (most of it for S6) and the
step.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

from absl import flags

from benchmarks import timing
from repjax import command_line
from repjax.engine import backend

_FLAGS = flags.FlagValues()
_CELLS = flags.DEFINE_string(
    "cells",
    "a5-mlp,s5-mlp,c113-mlp,s6-mlp,s5-transformer",
    "Cells of the paper.",
    flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("cell", "seconds_cold", "seconds_warm")


def main() -> None:
    """Measure all rows and report them."""
    cells = _CELLS.value.split(",")
    for name in cells:
        timing.paper_cell(name, 1)
    backend.prepare()
    rows = timing.measured((row(name) for name in cells), COLUMNS, _OUT.value)
    timing.report(rows, COLUMNS, _OUT.value)


def row(name: str) -> dict[str, Any]:
    """Measure one cell, cold and warm."""
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (seconds_to_first_step(name, cache) for _ in range(2))
    return {"cell": name, "seconds_cold": cold, "seconds_warm": warm}


def seconds_to_first_step(name: str, cache: str) -> float:
    """Time one call of the program, which keeps compiled programs in `cache`."""
    group, _, architecture = name.partition("-")
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONUNBUFFERED": "1"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    with (
        tempfile.TemporaryDirectory() as workdir,
        tempfile.TemporaryFile("w+") as said,
    ):
        command = [
            *(sys.executable, "-m", "repjax.main", "--config=experiments/table3.py"),
            *(f"--config.groups={group.upper()}", f"--workdir={workdir}"),
            f"--config.architectures={architecture}",
        ]
        begin = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=PIPE, stderr=said, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "  step 1/" in line:
                    end = time.perf_counter()
                    process.terminate()
                    process.communicate()
                    return end - begin
        said.seek(0)
        print(said.read(), file=sys.stderr)
    raise subprocess.CalledProcessError(process.returncode, command)


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
