"""Results and networks of a workdir as Python objects: tables, curves, functions."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Float

from repjax.extras import require
from repjax.groups import Group, build_group
from repjax.metrics import EXPLAINED, SCALARS
from repjax.report.settings import swept_settings
from repjax.settings.architectures import concerns
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError, show
from repjax.storage.results import CellResults

if TYPE_CHECKING:
    import pandas
    import xarray

    from repjax.dissection import FinishedCell

Value = TypeVar("Value")


class Network:
    """One trained network, as a function of two group elements.

    Attributes:
        group: the group; element i is row i of `group.table`.
        step: optimiser steps after which these weights were taken.
        params: weights by name, as `Cell.params` returns them.
    """

    def __init__(
        self, module: Any, group: Group, params: Mapping[str, np.ndarray], step: int
    ):
        """Hold a network of `repjax.models` with its weights."""
        self.group, self.step, self.params = group, step, params
        self._module = module

    def __repr__(self) -> str:
        """Return architecture, group and step."""
        kind = type(self._module).__name__
        return f"<repjax network: {kind} on {self.group.name} at step {self.step:,}>"

    def __call__(self, a: Any, b: Any) -> Float[np.ndarray, "*pairs vocab"]:
        """Return the logits of pairs of elements.

        Args:
            a: index of the first element, or an integer array of indices.
            b: index of the second element; shapes broadcast.

        Returns:
            Logits in nats, float32: the shape of the pairs, then n values.

        Raises:
            ConfigError: an index is not an integer from 0 to n − 1.
        """
        import jax

        weights = jax.tree.map(jax.numpy.asarray, dict(self.params))
        left, right = np.broadcast_arrays(self._checked("a", a), self._checked("b", b))
        with jax.default_matmul_precision("highest"):
            logits = self._module.apply(
                {"params": weights},
                jax.numpy.asarray(left.ravel()),
                jax.numpy.asarray(right.ravel()),
            )
        return np.asarray(logits).reshape(*left.shape, self.group.order)

    def _checked(self, name: str, value: Any) -> np.ndarray:
        index = np.asarray(value)
        inside = np.issubdtype(index.dtype, np.integer) and np.all(
            (index >= 0) & (index < self.group.order)
        )
        if not inside:
            raise ConfigError(
                f"{name}: {show(value)} is not allowed; use indices of elements, "
                f"integers from 0 to {self.group.order - 1}"
            )
        return index.astype(np.int32)


class Cell:
    """All runs of one cell: runs that differ only in their seed.

    Attributes:
        directory: its folder in the workdir.
        results: its trajectories, as NumPy arrays.
    """

    def __init__(self, directory: Path, results: CellResults):
        """Hold a finished cell; its weights are read when they are first needed."""
        self.directory, self.results = directory, results
        self._at = lru_cache(maxsize=2)(self._read)

    def __repr__(self) -> str:
        """Return name and number of runs."""
        return f"<repjax cell {self.name}: {self.results.num_runs} runs>"

    @property
    def name(self) -> str:
        """Name of its folder, such as S5_mlp."""
        return self.results.cell.name

    @property
    def settings(self) -> CellConfig:
        """Every setting that its runs share."""
        return self.results.cell

    @cached_property
    def group(self) -> Group:
        """The group that it was trained on."""
        return build_group(self.settings.group)

    @property
    def runs(self) -> "pandas.DataFrame":
        """A row for each run; see `Sweep.runs`."""
        return table_of_runs([self.results])

    @cached_property
    def trajectory(self) -> "xarray.Dataset":
        """Every metric, over the axes run, step and irrep.

        Coordinates are run (from 0, as in `runs`), its seed, step, and irrep with its
        real dimension. docs/metrics.md defines the metrics: losses are nats, shares
        and accuracies lie in [0, 1].
        """
        xarray = require("xarray", "notebook", "trajectory")
        axes, found = ("run", "step", "irrep"), self.results
        return xarray.Dataset(
            {
                name: (
                    axes[: values.ndim],
                    values,
                    {"units": "nats" if name.endswith("loss") else "1"},
                )
                for name, values in found.metrics.items()
            },
            coords={
                "run": np.arange(found.num_runs),
                "seed": ("run", np.array(self.settings.seeds)),
                "step": ("step", found.steps, {"units": "optimiser steps"}),
                "irrep": list(found.irreps),
                "irrep_dim": ("irrep", np.array(found.irrep_dims)),
            },
            attrs={"cell": self.name, "settings": json.dumps(self.settings.to_json())},
        )

    def params(self, run: int, step: int | None = None) -> dict[str, np.ndarray]:
        """Return the weights of a run by name, float32.

        Args:
            run: the run, from 0, as in `runs`.
            step: a step with a snapshot (`config.checkpoint.snapshots = True`); by
                default the last.

        Raises:
            ConfigError: no such run or step, or its checkpoint is gone.
        """
        _check_run(run, self.results.num_runs)
        return {name: np.asarray(x)[run] for name, x in self._at(step).items()}

    def model(self, run: int, step: int | None = None) -> Network:
        """Return the network of a run as a function; see `params` for its arguments."""
        params = self.params(run, step)
        taken = self.settings.num_steps if step is None else step
        return Network(self.finished.model, self.group, params, taken)

    @cached_property
    def finished(self) -> "FinishedCell":
        """The cell for `repjax.dissection` and `repjax.rivals`."""
        from repjax.dissection import FinishedCell
        from repjax.engine import backend

        backend.prepare()
        return FinishedCell(self.directory)

    def _read(self, step: int | None) -> Mapping[str, Any]:
        """Return the weights of all runs at a step."""
        if not self.finished.has_networks:
            raise ConfigError(
                f"{self.directory}: has no last checkpoint, so no weights"
            )
        last, known = self.settings.num_steps, self.finished.snapshots()
        if step in (None, last):
            return self.finished.params()["params"]
        if step not in known:
            steps = ", ".join(map(str, sorted({*known, last})))
            raise ConfigError(
                f"step: {show(step)} is not allowed; use one of {steps}, or train with "
                "checkpoint.snapshots = True"
            )
        return self.finished.snapshot(step)["params"]


class Cells(dict[str, Cell]):
    """Cells by name."""

    def __missing__(self, name: str) -> Cell:
        """Raise a KeyError that lists the names there are."""
        raise KeyError(f"{name!r} is not a cell; use one of {', '.join(self)}")


class Sweep:
    """Finished cells of a workdir.

    With a single cell, its `trajectory` and `group` are also those of the sweep;
    `runs`, `params` and `model` work for any number of cells.

    Attributes:
        workdir: the directory.
        cells: the cells by name, sorted.
    """

    def __init__(self, workdir: Path, cells: Iterable[Cell]):
        """Hold cells of a workdir."""
        self.workdir = workdir
        self.cells = Cells(
            (cell.name, cell) for cell in sorted(cells, key=lambda cell: cell.name)
        )

    def __repr__(self) -> str:
        """Return workdir, cells and number of runs."""
        num_runs = len(self._places)
        names = ", ".join(self.cells)
        return f"<repjax sweep in {self.workdir}: {num_runs} runs of {names}>"

    @cached_property
    def runs(self) -> "pandas.DataFrame":
        """A row for each run, cell by cell, with its final numbers.

        Columns: cell, group, architecture, seed, settings that a sweep varies by dotted
        key, steps taken, generalised, diverged, key_irreps (names in order of
        learning), then `repjax.metrics.SCALARS` and `EXPLAINED`.
        """
        return table_of_runs([cell.results for cell in self.cells.values()])

    @property
    def trajectory(self) -> "xarray.Dataset":
        """Trajectories of the only cell; see `Cell.trajectory`."""
        return self._only("trajectory").trajectory

    @property
    def group(self) -> Group:
        """The group, if all cells have the same."""
        groups = {cell.settings.group for cell in self.cells.values()}
        return (
            next(iter(self.cells.values())).group
            if len(groups) == 1
            else (self._only("group").group)
        )

    def params(self, run: int, step: int | None = None) -> dict[str, np.ndarray]:
        """Return the weights of the run in a row of `runs`; see `Cell.params`."""
        cell, place = self._find(run)
        return cell.params(place, step)

    def model(self, run: int, step: int | None = None) -> Network:
        """Return the network of the run in a row of `runs`; see `Cell.model`."""
        cell, place = self._find(run)
        return cell.model(place, step)

    @cached_property
    def _places(self) -> list[tuple[Cell, int]]:
        return [
            (cell, place)
            for cell in self.cells.values()
            for place in range(cell.results.num_runs)
        ]

    def _find(self, run: int) -> tuple[Cell, int]:
        _check_run(run, len(self._places))
        return self._places[run]

    def _only(self, what: str) -> Cell:
        if len(self.cells) > 1:
            names = " or ".join(f".cells[{name!r}].{what}" for name in self.cells)
            raise ConfigError(
                f"{what}: {len(self.cells)} cells have their own; use {names}"
            )
        return next(iter(self.cells.values()))


def _check_run(run: int, num_runs: int) -> None:
    if not (isinstance(run, int | np.integer) and 0 <= run < num_runs):
        raise ConfigError(
            f"run: {show(run)} is not allowed; use a row of runs, an integer from 0 to "
            f"{num_runs - 1}"
        )


def table_of_runs(cells: Iterable[CellResults]) -> "pandas.DataFrame":
    """Return a row for each run of some cells; see `Sweep.runs`."""
    pandas = require("pandas", "notebook", "runs")
    cells = list(cells)
    keys = swept_settings(cells).keys
    frames = [pandas.DataFrame(_columns(cell, keys)) for cell in cells]
    return pandas.concat(frames, ignore_index=True)


def _columns(results: CellResults, keys: Iterable[str]) -> dict[str, Any]:
    """Return the columns of one cell; single values hold for all of its runs."""
    cell, blank = results.cell, np.full(results.num_runs, np.nan, np.float32)
    return {
        "cell": cell.name,
        "group": results.group_name,
        "architecture": cell.architecture,
        "seed": np.array(cell.seeds),
        **{
            key: cell.flat[key]
            if concerns(key.partition(".")[0], cell.architecture)
            else None
            for key in keys
        },
        "steps": results.final("trained_steps").astype(int),
        "generalised": results.generalised,
        "diverged": results.diverged,
        "key_irreps": [results.key_irreps(run) for run in range(results.num_runs)],
        **{
            name: results.final(name) if name in results.metrics else blank
            for name in (*SCALARS, *EXPLAINED)
        },
    }
