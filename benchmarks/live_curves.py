"""Cost of live curves: their share of the processor time of training.

python benchmarks/live_curves.py [--log=tensorboard] [--steps=N] [--out=F.json]

Trains the quickstart and counts the processor time of the thread that writes curves,
beside that of the whole process, compilation left out. Processor time, unlike time on a
clock, does not depend on what else runs. With fewer steps the share is an upper bound:
evaluations stay as many.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import timing
from experiments import quickstart
from repjax import command_line
from repjax.engine import backend
from repjax.engine.curves import SINKS, Curves
from repjax.engine.train import train_sweep
from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand

_FLAGS = flags.FlagValues()
_LOG = flags.DEFINE_enum(
    "log", "tensorboard", [*SINKS], "Where curves go.", flag_values=_FLAGS
)
_STEPS = flags.DEFINE_integer(
    "steps",
    12_000,
    "Steps of each run; the quickstart takes 12,000 and 14,000.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string("out", None, "File of the row.", flag_values=_FLAGS)

COLUMNS = ("log", "steps", "records", "ms_per_record", "cpu_seconds", "percent")


class Timed(Curves):
    """Curves that count their own processor time, and that of training."""

    def __init__(self, log: str, workdir: Path):
        """Start at zero."""
        super().__init__(log, workdir)
        self.seconds, self.records, self.training = 0.0, 0, 0.0
        self._first: float | None = None

    def _count(self, report: Callable[..., None], *arguments: Any) -> None:
        begin = time.thread_time()
        report(*arguments)
        self.seconds += time.thread_time() - begin
        self.records += len(self._sinks)

    def update(self, *arguments: Any) -> None:
        """Write, and start the clock of training after the first chunk, compiled."""
        self._count(super().update, *arguments)
        self._first = self._first or time.process_time()

    def measure(self, *arguments: Any) -> None:
        """Write."""
        self._count(super().measure, *arguments)

    def finish(self, *arguments: Any) -> None:
        """Close, and add the time of the round."""
        self._count(super().finish, *arguments)
        self.training += time.process_time() - (self._first or time.process_time())
        self._first = None


def main() -> None:
    """Measure and report."""
    backend.prepare()
    timing.report([row(_LOG.value, _STEPS.value)], COLUMNS, _OUT.value)


def row(log: str, steps: int) -> dict[str, Any]:
    """Train the quickstart with curves."""
    config = quickstart.get_config()
    config.num_steps = steps
    cells = expand(from_config_dict(config), ["num_steps"])
    with tempfile.TemporaryDirectory() as folder, Timed(log, Path(folder)) as curves:
        for _ in train_sweep(cells, Path(folder), curves):
            pass
    return {
        "log": log,
        "steps": steps,
        "records": curves.records,
        "ms_per_record": 1e3 * curves.seconds / curves.records,
        "cpu_seconds": curves.training,
        "percent": 100 * curves.seconds / curves.training,
    }


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
