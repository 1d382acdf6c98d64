"""Dissect single networks of a finished cell, read from its checkpoint."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from repjax.analysis.anatomy import activation_maps, dissect, logit_map
from repjax.analysis.basis import Basis, build_basis
from repjax.engine.parts import build_ensemble
from repjax.engine.saved import (
    blank_metrics,
    latest_step,
    read_networks,
    reevaluate,
    runs_of_cell,
)
from repjax.groups import Irrep, build_fourier, build_group, real_irreps
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS, TESTED
from repjax.models import Model, build_model
from repjax.report.story import Anatomy, NeuronMaps
from repjax.settings.rules import ConfigError
from repjax.storage.results import CellResults
from repjax.storage.rounds import Round, round_of
from repjax.storage.snapshots import load_snapshot, snapshot_steps
from repjax.training.state import RunState

MAX_NEURONS = 8
"""Neurons of a cluster whose activations are kept; S5's sign cluster has 7 in all."""

MAX_PIXELS = 2**18
"""Pixels of their n × n maps, in total: S6 keeps one neuron, in 2 MB."""

MAX_DIM = 16
"""Largest dimension of an irrep with a logit map; S6's 16d has one of 256 × 256."""


class Networks:
    """Checkpoints of rounds, read and verified once for all of their cells."""

    def __init__(self):
        """Start empty; rounds are read when needed."""
        self._latest: dict[Path, int | None] = {}
        # Of one round: its cells are usually read one after the other.
        self._read: tuple[tuple[Path, int | None], RunState] | None = None

    def latest_step(self, past: Round) -> int | None:
        """Return the step of the newest whole checkpoint, None without one."""
        if past.directory not in self._latest:
            self._latest[past.directory] = latest_step(past)
        return self._latest[past.directory]

    def at(self, past: Round, step: int | None) -> RunState:
        """Return all runs of a round at a step; see `read_networks`."""
        key = past.directory, step
        if self._read is None or self._read[0] != key:
            self._read = key, read_networks(past, step)[1]
        return self._read[1]


class FinishedCell:
    """The runs of one cell that was trained to the end.

    Attributes:
        directory: its folder.
        results: its trajectories, with every metric of `repjax.metrics`. Metrics that
            an old trajectory or an imported network lacks are measured at the end, if
            the cell has a checkpoint, and are NaN before.
        group: group that it was trained on.
        has_networks: whether there is a checkpoint of the last step.
    """

    def __init__(
        self,
        directory: Path,
        step: int | None = None,
        networks: Networks | None = None,
    ):
        """Read the trajectories, and the checkpoint only if they lack a metric.

        Args:
            directory: its folder.
            step: step at which to dissect its networks, one with a snapshot; by default
                the last.
            networks: rounds read so far; by default none.

        Raises:
            FileNotFoundError: the cell was not trained to the end.
            ValueError: its trajectory is damaged, or its group is no longer known.
        """
        self.directory = directory
        self._step = step
        self._networks = networks or Networks()
        self._round = round_of(directory)
        self.results = _results(directory, self._round)
        self.group = build_group(self.results.cell.group)
        last = None if self._round is None else self._networks.latest_step(self._round)
        self.has_networks = last == self.results.cell.num_steps
        if step is not None:
            self._at(step)  # raises if there is none
        missing = {
            name
            for name in (*SCALARS, *EXPLAINED, *COUNTS, *PER_IRREP)
            if not self._has(name)
        }
        if missing:
            metrics = self.results.metrics | self._measure(missing)
            self.results = replace(self.results, metrics=metrics)

    def _has(self, name: str) -> bool:
        known = name in self.results.metrics
        if known and name in TESTED and self.results.cell.whole_table:
            return True
        return known and not np.isnan(self.results.final(name)).all()

    def _measure(self, names: set[str]) -> dict[str, np.ndarray]:
        shape = (self.results.num_runs, len(self.results.steps))
        blank = blank_metrics(*shape, len(self.results.irreps))
        metrics = {name: self.results.metrics.get(name, blank[name]) for name in names}
        if self.has_networks:
            ensemble = build_ensemble([self.results.cell])
            placed: Any = ensemble.place(self._at(None))
            final = ensemble.evaluate(placed)
            for name, values in metrics.items():
                values[:, -1] = final[name]
        return metrics

    def anatomy(self, run: int) -> Anatomy:
        """Dissect the network of run `run`, which must have a checkpoint."""
        state = self._at(self._step)
        params = jax.tree.map(lambda weights: weights[run], state.params)
        found = jax.device_get(_dissect(self.model)(params, self.basis))
        logits_ab = found.pop("logits_ab")
        key = np.flatnonzero(self.results.is_key[run]).tolist()
        fourier, irreps = build_fourier(self.group), real_irreps(self.group)
        power = strength(found["hidden_power"], found["received"])
        maps = {
            index: self._map(logits_ab, irreps[index])
            for index in key
            if irreps[index].dim <= MAX_DIM
        }
        return Anatomy(
            **found,
            activations={
                index: self._neuron_maps(
                    params, found["in_cluster"][index], power[index]
                )
                for index in key
                if found["in_cluster"][index].any()
            },
            logit_maps={index: actual for index, (actual, _) in maps.items()},
            ideal_maps={index: ideal for index, (_, ideal) in maps.items()},
            irrep_of_column=fourier.irrep_of_column,
            characters=fourier.characters,
        )

    def _map(self, logits_ab: np.ndarray, irrep: Irrep) -> tuple:
        matrices = jnp.asarray(irrep.matrices, jnp.float32)
        inverse = jnp.asarray(self.group.inverse, jnp.int32)
        return jax.device_get(_logit_map(logits_ab, matrices, inverse))

    def _neuron_maps(
        self, params: Any, in_cluster: np.ndarray, power: np.ndarray
    ) -> NeuronMaps:
        most = max(1, min(MAX_NEURONS, MAX_PIXELS // self.group.order**2))
        strongest = np.argsort(np.where(in_cluster, -power, np.inf), kind="stable")
        # Padded with other neurons, so that clusters of all sizes share one program.
        asked = strongest[: min(most, len(power))]
        maps = jax.device_get(_maps(self.model)(params, jnp.asarray(asked, jnp.int32)))
        kept = min(len(asked), int(in_cluster.sum()))
        return NeuronMaps(neurons=asked[:kept], maps=maps[:kept])

    @cached_property
    def model(self) -> Model:
        """The network, without weights."""
        return build_model(self.results.cell, self.group.order)

    @cached_property
    def basis(self) -> Basis:
        """The basis of its group and task."""
        return build_basis(self.group, self.results.cell.task)

    def params(self) -> Any:
        """Return the weights of all runs at the step of dissection, on the host."""
        return self._at(self._step).params

    def snapshots(self) -> list[int]:
        """Return the steps of which all weights were kept."""
        return [] if self._round is None else snapshot_steps(self._round)

    def snapshot(self, step: int) -> Any:
        """Return the weights of all runs at one of `snapshots`, on the host."""
        assert self._round is not None
        rows = self._round.rows(self.results.cell)
        weights = load_snapshot(self._round, step)
        return {"params": {name: x[rows] for name, x in weights.items()}}

    def _at(self, step: int | None) -> RunState:
        """Return all runs at a step, by default the last, on the host."""
        assert self._round is not None
        state = self._networks.at(self._round, step)
        return runs_of_cell(self._round, self.results.cell, state)


def open_cells(
    directories: Iterable[Path], step: int | None = None
) -> list[FinishedCell]:
    """Open the finished cells among these folders; name the others on stderr.

    Args:
        directories: folders of cells.
        step: step at which to dissect their networks; by default the last.

    Raises:
        ConfigError: a folder is damaged, its group is no longer known, or it has no
            snapshot of this step.
    """
    networks, found = Networks(), []
    for directory in directories:
        try:
            cell = FinishedCell(directory, step, networks)
        except LookupError as error:
            raise ConfigError(
                f"--step: {step} is not allowed for {directory.name}; {error}"
            ) from None
        except FileNotFoundError:
            print(f"repjax: {directory} is not trained to the end", file=sys.stderr)
            continue
        except ValueError as error:  # damaged, or a group that is no longer known
            raise ConfigError(f"--workdir: {directory}: {error}") from None
        if not cell.has_networks:
            print(f"repjax: {directory} has no last checkpoint", file=sys.stderr)
        found.append(cell)
    return found


@lru_cache(maxsize=8)
def _dissect(model: Model) -> Callable:
    """Return the program for cells of a shape and groups with equally many irreps."""
    return _jit(lambda params, basis: dissect(model, params, basis))


@lru_cache(maxsize=8)
def _maps(model: Model) -> Callable:
    return _jit(lambda params, neurons: activation_maps(model, params, neurons))


def _jit(function: Callable) -> Callable:
    def precise(*arguments):
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return jax.jit(precise)


_logit_map = _jit(logit_map)


def strength(
    hidden_power: Float[np.ndarray, " hidden"],
    received: Float[np.ndarray, "irrep hidden"],
) -> Float[np.ndarray, "irrep hidden"]:
    """Return Σ h~² of each neuron times the share of each irrep in its input.

    A transformer's neurons are in several clusters. By power alone the first two of
    the published S5 transformer's seed 1 are the same for sign and for standard_sign;
    with the share, the sign cluster shows neurons that are on in one block of four.
    """
    total = received.sum(axis=0)
    return hidden_power * received / np.where(total > 0, total, 1)


def _results(directory: Path, past: Round | None) -> CellResults:
    """Return a cell's trajectories; for imported networks, the last step only."""
    if CellResults.exists(directory):
        return CellResults.load(directory)
    found = None if past is None else reevaluate(past, only_tables=False)
    if found is None:
        raise FileNotFoundError(directory)
    return next(each for each in found if each.cell.name == directory.name)
