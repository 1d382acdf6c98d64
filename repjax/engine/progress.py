"""Show training progress: live on a terminal, line by line elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from importlib.util import find_spec

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from repjax.engine.forecast import counted
from repjax.settings.config import CellConfig
from repjax.storage.results import CellResults, has_generalised

SECONDS_BETWEEN_LINES = 10.0

MOST_RUNS = 100
"""Largest number of runs that get a line each if a round has several cells."""

MOST_CELLS = 300
"""Largest number of cells of a round that get a line each."""

BESIDE_BAR = 80
"""Narrowest terminal that has room for numbers beside the bar."""

SECONDS_OF_RATE = 30.0
"""Window of the rate. Early steps are evaluated far more often than late ones, so a
mean since the start would overestimate the time left by hours."""


class Progress:
    """Receiver of progress reports; this one prints nothing.

    A context manager, because a live display must be taken down however training ends.
    """

    def prepare(self, cells: Sequence[CellConfig]) -> None:
        """Report the cells of the next round, in the order of their runs."""

    def start(self, name: str, num_runs: int, num_steps: int, step: int) -> None:
        """Report that a round begins, or resumes from `step`."""

    def update(self, step: int, train_loss: np.ndarray) -> None:
        """Report that the round has reached `step`, with its last losses by run."""

    def measure(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Report the metrics at the current step, by run."""

    def finish(self, cells: Sequence[CellResults]) -> None:
        """Report that these cells are finished, now or earlier."""

    def __enter__(self) -> "Progress":
        """Return itself; nothing is shown before `start`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the report: training is over or has failed."""


class Together(Progress):
    """Several receivers that get the same reports."""

    def __init__(self, receivers: Sequence[Progress]):
        """Pass every report to `receivers`, in this order."""
        self._receivers = receivers
        self._stack = ExitStack()

    def prepare(self, cells: Sequence[CellConfig]) -> None:
        """Pass it on."""
        for receiver in self._receivers:
            receiver.prepare(cells)

    def start(self, name: str, num_runs: int, num_steps: int, step: int) -> None:
        """Pass it on."""
        for receiver in self._receivers:
            receiver.start(name, num_runs, num_steps, step)

    def update(self, step: int, train_loss: np.ndarray) -> None:
        """Pass it on."""
        for receiver in self._receivers:
            receiver.update(step, train_loss)

    def measure(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Pass it on."""
        for receiver in self._receivers:
            receiver.measure(metrics)

    def finish(self, cells: Sequence[CellResults]) -> None:
        """Pass it on."""
        for receiver in self._receivers:
            receiver.finish(cells)

    def __enter__(self) -> "Together":
        """Enter every receiver."""
        for receiver in self._receivers:
            self._stack.enter_context(receiver)
        return self

    def __exit__(self, *_: object) -> None:
        """Exit every receiver, whatever happens in another."""
        self._stack.close()


def build_progress(console: Console | None = None) -> Progress:
    """Build a live display on a terminal or in a notebook, lines elsewhere."""
    console = console or Console()
    is_terminal = console.file.isatty() and not console.is_dumb_terminal
    # A notebook shows a display through ipywidgets.
    in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
    live = is_terminal or in_notebook
    return LiveProgress(console) if live else PlainProgress(console)


class Status:
    """Position and speed of a round."""

    def __init__(
        self,
        name: str,
        num_runs: int,
        num_steps: int,
        step: int,
        clock: Callable[[], float],
    ):
        """Start the clock; rates count only work done from here on."""
        self.name = name
        self.num_runs = num_runs
        self.num_steps = num_steps
        self.step = step
        self._clock = clock
        self._begin = (clock(), step)
        self._recent: deque[tuple[float, int]] = deque()
        self._latest: dict[str, np.ndarray] = {}
        self._measured_at = step

    def update(self, step: int, train_loss: np.ndarray) -> None:
        """Record the report of `Progress.update`."""
        # The first chunk is left out of the rate: most of its time is compilation.
        self._recent.append((self._clock(), step))
        while len(self._recent) > 2 and self._age(1) > SECONDS_OF_RATE:
            self._recent.popleft()
        self.step = step
        self._latest["train_loss"] = train_loss

    def measure(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Record the report of `Progress.measure`."""
        self._latest |= metrics
        self._measured_at = self.step

    def _age(self, index: int) -> float:
        return self._recent[-1][0] - self._recent[index][0]

    @property
    def has_begun(self) -> bool:
        """Return whether steps were taken since the start."""
        return bool(self._recent)

    @property
    def steps_per_second(self) -> float | None:
        """Recent rate; None while unknown."""
        if len(self._recent) < 2 or not self._age(0):
            return None
        return (self._recent[-1][1] - self._recent[0][1]) / self._age(0)

    def place(self) -> str:
        """Return share done, step and, once the rate is known, time left."""
        rate = self.steps_per_second
        place = (
            f"{self.step / self.num_steps:.1%}  step {self.step:,}/{self.num_steps:,}"
        )
        if not rate:
            return place
        return f"{place}  time left {_time((self.num_steps - self.step) / rate)}"

    def speed(self) -> str:
        """Return recent steps per second, of each run and of all; empty if unknown."""
        return _speed(self.steps_per_second, self.num_runs)

    def losses(self) -> str:
        """Return median losses and how many runs have generalised or diverged.

        Between evaluations also the step of the last one, at which runs were tested.
        """
        parts = []
        for name in ("train_loss", "test_loss"):
            if name in self._latest:
                label, values = name.replace("_", " "), self._latest[name]
                if name == "test_loss":
                    values = values[self._has_test_pairs()]
                if values.size:
                    parts.append(f"{label} {_median(values):.2e}")
        if "test_accuracy" in self._latest:
            generalised = int(has_generalised(self._latest).sum())
            parts.append(f"generalised {generalised}/{self.num_runs}")
        diverged = int((~np.isfinite(self._latest.get("train_loss", 0.0))).sum())
        if diverged:
            parts.append(f"diverged {diverged}/{self.num_runs}")
        if "test_accuracy" in self._latest and self._measured_at < self.step:
            parts.append(f"(tested at step {self._measured_at:,})")
        return "  ".join(parts)

    def _has_test_pairs(self) -> np.ndarray:
        """Return which runs have test pairs: the test accuracy of others is blank."""
        known = self._latest
        train = known.get("train_accuracy", np.full(self.num_runs, np.nan))
        test = known.get("test_accuracy", train)
        return np.isfinite(test) | np.isnan(train)

    def total(self) -> str:
        """Return time and mean speed since the start, compilation included."""
        begin, first = self._begin
        seconds = self._clock() - begin
        rate = (self.step - first) / seconds if seconds else None
        return f"{_time(seconds)}  {_speed(rate, self.num_runs)}".rstrip()


class PlainProgress(Progress):
    """Progress in lines, for files: first steps, every ten seconds, and the end."""

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Write to `console`, by default stdout."""
        self._console = console or Console()
        self._clock = clock
        self._status: Status | None = None
        self._shown_at = 0.0
        self._is_shown = True

    def start(self, name: str, num_runs: int, num_steps: int, step: int) -> None:
        """Print what is trained, and from which step."""
        self._status = Status(name, num_runs, num_steps, step, self._clock)
        self._shown_at, self._is_shown = self._clock(), True
        resumed = f", resumed at step {step:,}" if step else ""
        size = f"{counted(num_runs, 'run')}, {counted(num_steps, 'step')}"
        self._print(f"{name}: {size}{resumed}")

    def update(self, step: int, train_loss: np.ndarray) -> None:
        """Print the state of the round if due, or if training has just begun."""
        if self._status is not None:
            has_begun = self._status.has_begun
            self._status.update(step, train_loss)
            self._is_shown = False
            if step < self._status.num_steps:  # the last is measured first
                self._show_if_due(self._status, at_once=not has_begun)

    def measure(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Print the state of the round if due."""
        if self._status is not None:
            self._status.measure(metrics)
            self._is_shown = False
            if self._status.step < self._status.num_steps:
                self._show_if_due(self._status)

    def finish(self, cells: Sequence[CellResults]) -> None:
        """Print the last state, the cells and, unless there are many, their runs."""
        status = self._status
        self.__exit__()
        how = f"done in {status.total()}" if status else "already finished"
        if len(cells) == 1:
            self._print(f"{cells[0].cell.name}: {how}")
        elif status is not None:
            self._print(f"{status.name}: {how}")
        runs = sum(results.num_runs for results in cells)
        if len(cells) > MOST_CELLS:
            generalised = sum(int(results.generalised.sum()) for results in cells)
            self._print(f"{len(cells):,} cells: generalised {generalised:,}/{runs:,}")
            return
        for results in cells:
            if len(cells) > 1:
                self._print(_cell_line(results, "" if status else f", {how}"))
            if len(cells) == 1 or runs <= MOST_RUNS:
                self._print_runs(results)

    def _print_runs(self, results: CellResults) -> None:
        for line in run_lines(results):
            self._print(line)

    def __exit__(self, *_: object) -> None:
        """Print the last state if it has not been printed."""
        if self._status is not None and not self._is_shown:
            self._show(self._status)
        self._status = None

    def _show_if_due(self, status: Status, at_once: bool = False) -> None:
        if at_once or self._clock() - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._show(status)

    def _show(self, status: Status) -> None:
        self._shown_at, self._is_shown = self._clock(), True
        parts = (status.name, status.place(), status.speed(), status.losses())
        self._print("  ".join(part for part in parts if part))

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveProgress(PlainProgress):
    """Progress as a bar and two lines of numbers in place, for terminals."""

    _live: Live | None = None

    def start(self, name: str, num_runs: int, num_steps: int, step: int) -> None:
        """Start the display."""
        self.__exit__()
        super().start(name, num_runs, num_steps, step)
        self._live = Live(console=self._console, get_renderable=self._render)
        self._live.start()

    def _show_if_due(self, status: Status, at_once: bool = False) -> None:
        """Do nothing: the display refreshes itself every quarter of a second."""

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen and restore the cursor."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._status = None

    def _render(self) -> Table:
        status = self._status
        rows = Table.grid(padding=(0, 1))
        if status is not None:
            bar = ProgressBar(status.num_steps, status.step, width=24)
            if self._console.width < BESIDE_BAR:
                rows.add_row(bar)
                rows.add_row(status.place())
            else:
                place = Table.grid(padding=(0, 1))
                place.add_row(bar, status.place())
                rows.add_row(place)
            for row in (status.speed(), status.losses()):
                if row:
                    rows.add_row(row)
        return rows


def _cell_line(results: CellResults, how: str) -> str:
    """Return how many runs of a cell generalised, and its median loss."""
    generalised, name = int(results.generalised.sum()), _shown_loss(results)
    return (
        f"{results.cell.name}: generalised {generalised}/{results.num_runs}, "
        f"median {name} loss {_median(results.final(f'{name}_loss')):.2e}{how}"
    )


def _shown_loss(results: CellResults) -> str:
    """Return "test", or "train" where every pair trains."""
    return "train" if results.cell.whole_table else "test"


def run_lines(results: CellResults) -> Iterator[str]:
    """Yield a line per run: seed, verdict, loss, key irreps as learned."""
    width = max(len(str(seed)) for seed in results.cell.seeds)
    name, generalised = _shown_loss(results), results.generalised
    losses = results.final(f"{name}_loss")
    for run, seed in enumerate(results.cell.seeds):
        irreps = ", ".join(results.key_irreps(run)) or "none"
        verdict = "generalised    " if generalised[run] else "not generalised"
        if results.diverged[run]:
            verdict = f"diverged at step {int(results.final('trained_steps')[run]):,}"
        yield (
            f"  seed {seed:{width}}  {verdict}  {name} loss {losses[run]:.2e}"
            f"  key irreps: {irreps}"
        )


def _median(values: np.ndarray) -> float:
    """Return the median; a run that has diverged counts as infinite."""
    return float(np.median(np.where(np.isnan(values), np.inf, values)))


def _speed(steps_per_second: float | None, num_runs: int) -> str:
    """Return steps per second, of each run and of all; empty if unknown."""
    if steps_per_second is None:
        return ""
    in_all = steps_per_second * num_runs
    digits = ".1f" if steps_per_second < 10 else ",.0f"
    speed = f"{steps_per_second:{digits}} steps/s"
    return speed if num_runs == 1 else f"{speed} each ({in_all:{digits}} in all)"


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
