"""Energies of all irreps at step 0, for all runs of a finished cell.

Weights and training pairs at step 0 depend on a run's seed alone, so no file of the
training is needed: they are made again.
"""

import contextlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from repjax.analysis.energies import spectral_energies
from repjax.dissection import FinishedCell
from repjax.engine.parts import build_ensemble
from repjax.models import Model
from repjax.settings.config import CellConfig
from repjax.storage.files import write_atomically
from repjax.storage.rounds import same_settings
from repjax.training.state import RunState

ENERGIES = "initial.npz"

FORMAT = "repjax initial 1"

FEATURES = (
    "energy_w_a",
    "energy_w_b",
    "energy_w_u",
    "gradient_w_a",
    "gradient_w_b",
    "gradient_w_u",
)
"""Spectral energies of the tables and of the first gradient."""


def energies(cell: FinishedCell) -> dict[str, np.ndarray]:
    """Return each of `FEATURES` at step 0: (run, irrep), float32.

    They are squared norms, defined in `repjax.analysis.energies`; the irreps are those
    of `cell.results`. The folder of the cell keeps them in `initial.npz`; a file of
    other runs, or a damaged one, is replaced.

    Returns:
        Empty for imported networks, whose initial weights are not known.
    """
    if is_imported(cell):
        return {}
    path = cell.directory / ENERGIES
    found = _load(path, cell)
    if found is None:
        found = measure(cell)
        with contextlib.suppress(OSError):  # a folder that may only be read
            _save(path, cell, found)
    return found


def is_imported(cell: FinishedCell) -> bool:
    """Return whether the past of a cell's networks was not measured."""
    return bool(np.isnan(cell.results.metrics["train_loss"][:, 0]).all())


def measure(cell: FinishedCell) -> dict[str, np.ndarray]:
    """Compute the energies of all runs: those that `energies` keeps in a file."""
    start = initial_state(cell.results.cell)
    runs = start.params, start.train_pairs
    found = jax.device_get(_program(cell.model)(runs, cell.basis))
    return {name: found[name] for name in FEATURES}


def initial_state(cell: CellConfig) -> RunState:
    """Return weights and training pairs of all runs at step 0, without moments."""
    ensemble: Any = build_ensemble([cell])
    started = jax.tree.map(
        lambda state: state.replace(opt_state=()),
        ensemble.init(),
        is_leaf=lambda node: isinstance(node, RunState),
    )
    return ensemble.fetch(started)


@lru_cache(maxsize=8)
def _program(model: Model) -> Callable:
    """Compile the energies of any number of networks, one after the other."""

    def program(runs, basis):
        def one(run):
            params, train_pairs = run
            return spectral_energies(model, params, train_pairs, basis)

        with jax.default_matmul_precision("highest"):
            return jax.lax.map(one, runs)

    return jax.jit(program)


def _save(path: Path, cell: FinishedCell, found: dict[str, np.ndarray]) -> None:
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT),
        "cell": np.array(json.dumps(cell.results.cell.to_json())),
        "irreps": np.array(cell.results.irreps),
        **found,
    }
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def _load(path: Path, cell: FinishedCell) -> dict[str, np.ndarray] | None:
    """Return the energies in a file; None if it is of other runs, or not readable."""
    results = cell.results
    shape = results.num_runs, len(results.irreps)
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
        known = CellConfig.from_json(json.loads(str(arrays["cell"])))
        found = {name: arrays[name] for name in FEATURES}
        matches = (
            str(arrays["format"]) == FORMAT
            and same_settings(known, results.cell)
            and tuple(arrays["irreps"].tolist()) == results.irreps
            and all(values.shape == shape for values in found.values())
        )
    except Exception:  # zipfile, zlib, numpy and json each have their own
        return None
    return found if matches else None
