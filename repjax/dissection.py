"""Networks of a finished cell taken apart, from its checkpoint, which is only read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from repjax.analysis.anatomy import activation_maps, dissect, logit_map
from repjax.checkpoint import Checkpoints
from repjax.ensemble import Ensemble
from repjax.groups import Irrep, build_fourier, build_group, real_irreps
from repjax.metrics import COUNTS, PER_IRREP, SCALARS
from repjax.parts import Parts, build_ensemble
from repjax.report.story import Anatomy, NeuronMaps
from repjax.results import CellResults
from repjax.state import RunState
from repjax.train import blank_metrics, reevaluate

MAX_NEURONS = 8
"""Neurons of a cluster whose activations are kept; of S5's sign cluster 7 are all."""

MAX_PIXELS = 2**18
"""Of their n × n maps together: S6 keeps one neuron, in 2 MB."""

MAX_DIM = 16
"""Largest irrep with a map to logits: S6's 16d has one of 256 × 256 numbers."""


class FinishedCell:
    """The runs of one cell that was trained to the end.

    Attributes:
        directory: its folder.
        results: its trajectories, with every metric of `repjax.metrics`. Those that an
            old trajectory or an imported network lacks are measured at the end, if the
            cell has a checkpoint, and NaN before.
        group: what it was trained on.
        has_networks: whether there is a checkpoint of the last step.
    """

    def __init__(self, directory: Path):
        """Reads the trajectories, and the checkpoint only if they lack something.

        Raises:
            FileNotFoundError: the cell was not trained to the end.
            ValueError: its trajectory is damaged, or its group no longer known.
        """
        self.directory = directory
        self.results = _results(directory)
        self.group = build_group(self.results.cell.group)
        self._folder = directory / "checkpoints"
        self.has_networks = self._latest_step() == self.results.cell.num_steps
        missing = {
            name for name in (*SCALARS, *COUNTS, *PER_IRREP) if not self._has(name)
        }
        if missing:
            metrics = self.results.metrics | self._measure(missing)
            self.results = replace(self.results, metrics=metrics)

    def _has(self, name: str) -> bool:
        known = name in self.results.metrics
        return known and not np.isnan(self.results.final(name)).all()

    def _measure(self, names: set[str]) -> dict[str, np.ndarray]:
        shape = (self.results.num_runs, len(self.results.steps))
        blank = blank_metrics(*shape, len(self.results.irreps))
        metrics = {name: self.results.metrics.get(name, blank[name]) for name in names}
        if self.has_networks:
            placed: Any = self._ensemble.place(self._state)
            final = self._ensemble.evaluate(placed)
            for name, values in metrics.items():
                values[:, -1] = final[name]
        return metrics

    def anatomy(self, run: int) -> Anatomy:
        """The network of run `run`, taken apart; there must be one."""
        params = jax.tree.map(lambda weights: weights[run], self._state.params)
        found = jax.device_get(self._dissect(params, self._ensemble.basis))
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
        return jax.device_get(self._logit_map(logits_ab, matrices, inverse))

    def _neuron_maps(
        self, params: Any, in_cluster: np.ndarray, power: np.ndarray
    ) -> NeuronMaps:
        most = max(1, min(MAX_NEURONS, MAX_PIXELS // self.group.order**2))
        strongest = np.argsort(np.where(in_cluster, -power, np.inf), kind="stable")
        # Padded with others, so that clusters of all sizes share one program.
        asked = strongest[: min(most, len(power))]
        maps = jax.device_get(self._maps(params, jnp.asarray(asked, jnp.int32)))
        kept = min(len(asked), int(in_cluster.sum()))
        return NeuronMaps(neurons=asked[:kept], maps=maps[:kept])

    @cached_property
    def _dissect(self) -> Callable:
        return self._jit(
            lambda params, basis: dissect(self._ensemble.model, params, basis)
        )

    @cached_property
    def _maps(self) -> Callable:
        return self._jit(
            lambda params, neurons: activation_maps(
                self._ensemble.model, params, neurons
            )
        )

    @cached_property
    def _logit_map(self) -> Callable:
        return self._jit(logit_map)

    def _jit(self, function: Callable) -> Callable:
        def precise(*arguments):
            with jax.default_matmul_precision("highest"):
                return function(*arguments)

        return jax.jit(precise)

    @cached_property
    def _ensemble(self) -> Ensemble | Parts:
        return build_ensemble(self.results.cell)

    @cached_property
    def _state(self) -> RunState:
        """All runs at the last step, on the host."""
        tree = {"state": self._ensemble.abstract()}
        with self._checkpoints() as checkpoints:
            return checkpoints.restore(self.results.cell.num_steps, tree)["state"]

    def _latest_step(self) -> int | None:
        if not self._folder.is_dir():
            return None
        with self._checkpoints() as checkpoints:
            return checkpoints.latest_step()

    @contextmanager
    def _checkpoints(self) -> Iterator[Checkpoints]:
        # Read-only: another process may be using the workdir at this moment.
        checkpoints = Checkpoints(self._folder, read_only=True)
        try:
            yield checkpoints
        finally:
            checkpoints.close()


def strength(
    hidden_power: Float[np.ndarray, " hidden"],
    received: Float[np.ndarray, "irrep hidden"],
) -> Float[np.ndarray, "irrep hidden"]:
    """Σ h~² of each neuron times the share of each irrep in what it receives.

    A transformer's neurons are in several clusters. By power alone the first two of
    the published S5 transformer's seed 1 are the same for sign and for standard_sign;
    so, the sign cluster shows neurons that are on in one block of four.
    """
    total = received.sum(axis=0)
    return hidden_power * received / np.where(total > 0, total, 1)


def _results(directory: Path) -> CellResults:
    """The trajectories of a cell; of imported networks, which have none, the end."""
    if CellResults.exists(directory):
        return CellResults.load(directory)
    results = reevaluate(directory, only_tables=False)
    if results is None:
        raise FileNotFoundError(directory)
    return results
