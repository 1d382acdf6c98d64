"""Live curves: statistics over the runs of each cell, for TensorBoard and W&B.

Each cell is a run of the viewer, with the cell's settings as hyper-parameters. At every
evaluation it gets one record for all metrics: `METRIC/mean`, `METRIC/q10`,
`METRIC/median` and `METRIC/q90` over its runs, and the number of runs that have
generalised, diverged, or have an irrep as key. Between evaluations, after each chunk of
training, a record holds the training loss alone.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repjax.engine.progress import Progress
from repjax.extras import require
from repjax.groups import build_group, real_irreps
from repjax.metrics import EXPLAINED, KEY_SIMILARITY, SCALARS
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import is_local
from repjax.storage.results import CellResults, has_generalised

MOST_CELLS = 100
"""Largest number of cells of a round that get curves; each keeps a file open."""

QUANTILES = {"q10": 0.1, "median": 0.5, "q90": 0.9}


class Sink(Protocol):
    """Where the curves of one cell are written."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write one record."""

    def close(self) -> None:
        """Write what is pending, and release files."""


class TensorBoard:
    """An event file in `workdir`/tensorboard/CELL, written without threads."""

    def __init__(self, cell: CellConfig, workdir: Path, step: int):
        """Begin a file whose records after `step` replace those of earlier files."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.proto.summary_pb2 import Summary
        from tensorboardX.summary import hparams

        self._event, self._summary = Event, Summary
        folder = workdir / "tensorboard" / cell.name
        folder.mkdir(parents=True, exist_ok=True)
        # The name has the second of its start: not enough for two calls in a test.
        self._file = EventsWriter(str(folder / "events"), f".{os.getpid()}.{step}")
        start = SessionLog(status=SessionLog.SessionStatus.Value("START"))
        self._put(step + 1, session_log=start)
        metrics = {f"{name}/median": 0.0 for name in ("train_loss", "test_loss")}
        for summary in hparams(_hyper_parameters(cell), metrics)[:2]:
            self._put(0, summary=summary)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write one record."""
        pairs = [
            self._summary.Value(tag=name, simple_value=value)
            for name, value in values.items()
        ]
        self._put(step, summary=self._summary(value=pairs))
        self._file.flush()  # a viewer shows it at once

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _put(self, step: int, **content: Any) -> None:
        self._file.write_event(self._event(step=step, wall_time=time.time(), **content))


class Wandb:
    """A run of Weights & Biases, with its files in `workdir`/wandb.

    The environment variables of wandb apply: WANDB_PROJECT, WANDB_MODE=offline, …
    """

    def __init__(self, cell: CellConfig, workdir: Path, step: int):
        """Begin a run named like the cell, in a group named like the workdir."""
        import wandb

        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "repjax"),
                group=workdir.resolve().name,
                name=cell.name,
                config=_hyper_parameters(cell),
                dir=workdir,
                reinit="create_new",  # a round has several at a time
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.Error as error:  # such as no API key
            raise ConfigError(f"log: 'wandb': {error}") from None
        # After a resumption steps are repeated, which wandb's own counter cannot be.
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Send one record to wandb's own process."""
        self._run.log({"step": step, **values})

    def close(self) -> None:
        """Wait until everything is written."""
        self._run.finish()


SINKS: dict[str, type] = {"tensorboard": TensorBoard, "wandb": Wandb}
LIBRARIES = {"tensorboard": "tensorboardX", "wandb": "wandb"}


class Curves(Progress):
    """Receiver that writes curves of the round in progress."""

    def __init__(self, log: str, workdir: Path):
        """Write for one of `SINKS`, into a workdir on this machine."""
        self._build, self._workdir = SINKS[log], workdir
        self._cells: Sequence[CellConfig] = ()
        self._rows: list[slice] = []
        self._irreps: list[list[str]] = []
        self._sinks: list[Sink] = []
        self._step = 0

    @classmethod
    def of(cls, log: str, workdir: Path) -> "Curves | None":
        """Return the receiver for a value of `config.log`; None for "none".

        Raises:
            ConfigError: the library is not installed, or the workdir is in a bucket.
        """
        if log == "none":
            return None
        require_library(log)
        if not is_local(workdir):
            raise ConfigError(
                f"log: {log!r} is not allowed with --workdir={workdir}; use a path on "
                "this machine, or log='none'"
            )
        return cls(log, workdir)

    def prepare(self, cells: Sequence[CellConfig]) -> None:
        """Note the cells, whose runs follow each other."""
        self.__exit__()
        if len(cells) > MOST_CELLS:
            print(
                f"repjax: log: no curves of {len(cells):,} cells that train together; "
                f"at most {MOST_CELLS} get some",
                file=sys.stderr,
            )
            cells = ()
        ends = [*accumulate(len(cell.seeds) for cell in cells)]
        self._rows = [
            slice(end - len(cell.seeds), end)
            for cell, end in zip(cells, ends, strict=True)
        ]
        self._cells = cells
        self._irreps = [
            [irrep.name for irrep in real_irreps(build_group(cell.group))]
            for cell in cells
        ]

    def start(self, name: str, num_runs: int, num_steps: int, step: int) -> None:
        """Open a sink for each cell."""
        self._step = step
        self._sinks = [self._build(cell, self._workdir, step) for cell in self._cells]

    def update(self, step: int, train_loss: np.ndarray) -> None:
        """Write the training loss."""
        self._step = step
        for sink, rows in zip(self._sinks, self._rows, strict=True):
            sink.write(step, statistics({"train_loss": train_loss[rows]}))

    def measure(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Write every metric."""
        for sink, rows, irreps in zip(
            self._sinks, self._rows, self._irreps, strict=True
        ):
            mine = {name: values[rows] for name, values in metrics.items()}
            sink.write(self._step, statistics(mine) | counts(mine, irreps))

    def finish(self, cells: Sequence[CellResults]) -> None:
        """Close the sinks of the round."""
        self.__exit__()

    def __exit__(self, *_: object) -> None:
        """Close whatever is open."""
        sinks, self._sinks, self._rows, self._irreps = self._sinks, [], [], []
        for sink in sinks:
            sink.close()


def require_library(log: str) -> None:
    """Raise `ConfigError` if the library for a value of `config.log` is missing."""
    if log != "none":
        require(LIBRARIES[log], log, f"log: {log!r}")


def statistics(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return mean and quantiles over runs of the metrics that are one number a run.

    Runs without a finite value, such as one that has diverged, are left out; a metric
    without any is missing.

    Args:
        metrics: name → values by run; other metrics than `repjax.metrics.SCALARS` and
            `EXPLAINED` are ignored.
    """
    known = [name for name in (*SCALARS, *EXPLAINED) if name in metrics]
    if not known:
        return {}
    values = np.stack([metrics[name] for name in known]).astype(float)
    values[~np.isfinite(values)] = np.nan
    kept = ~np.isnan(values).all(axis=1)
    known = [name for name, keep in zip(known, kept, strict=True) if keep]
    values = values[kept]
    blank = np.isnan(values).any()
    # The functions that skip blanks take ten times as long.
    mean, quantile = (np.nanmean, np.nanquantile) if blank else (np.mean, np.quantile)
    levels = [mean(values, axis=1), *quantile(values, [*QUANTILES.values()], axis=1)]
    return {
        f"{name}/{what}": float(level[row])
        for row, name in enumerate(known)
        for what, level in zip(("mean", *QUANTILES), levels, strict=True)
    }


def counts(
    metrics: Mapping[str, np.ndarray], irreps: Sequence[str]
) -> dict[str, float]:
    """Return how many runs have generalised, diverged, and each irrep as key.

    Args:
        metrics: name → values by run, or by run and irrep.
        irreps: names of the real irreps; more columns than these are padding.
    """
    similarity = metrics["logit_similarity"][:, : len(irreps)]
    key = (similarity > KEY_SIMILARITY).sum(axis=0)
    return {
        "runs/generalised": float(has_generalised(metrics).sum()),
        "runs/diverged": float((~np.isfinite(metrics["train_loss"])).sum()),
    } | {
        f"runs_with_key/{name}": float(number)
        for name, number in zip(irreps, key, strict=True)
        if name != "trivial"
    }


def _hyper_parameters(cell: CellConfig) -> dict[str, Any]:
    """Return the settings of a cell by dotted key, as numbers, strings and booleans."""
    flat = cell.flat | {"num_runs": len(cell.seeds), "seeds": str(cell.seeds)}
    del flat["swept"]
    return flat
