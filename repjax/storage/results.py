"""Results of a finished cell: every metric of every run at every evaluated step.

The folder of a cell holds them in one file, `trajectory.npz`, which includes the cell's
config, so that no other file is needed. NumPy only, so that a report needs no jax.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repjax.groups.names import display_name, folder_name
from repjax.metrics import GENERALISED, KEY_SIMILARITY, LEARNED_SIMILARITY
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import write_atomically
from repjax.storage.group_tables import recall_group

TRAJECTORY = "trajectory.npz"

METRIC_PREFIX = "metrics/"


def has_generalised(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where accuracies are those of a run that has generalised.

    Test accuracy decides. Where every pair trains it is blank (NaN), and train accuracy
    decides: the run then knows the whole table.

    Args:
        metrics: `test_accuracy` and `train_accuracy`, of any shape.
    """
    accuracy = metrics["test_accuracy"]
    trained = metrics.get("train_accuracy", accuracy)
    return np.where(np.isnan(accuracy), trained, accuracy) >= GENERALISED


@dataclass(frozen=True, eq=False)
class CellResults:
    """Trajectories of all runs of one cell.

    Attributes:
        cell: the cell trained; run i has seed `cell.seeds[i]`.
        irreps: names of the real irreps of the group, `trivial` among them.
        irrep_dims: their real dimensions.
        steps: evaluated steps (evaluation), increasing.
        metrics: name -> (run, evaluation), or (run, evaluation, irrep) for the metrics
            of single irreps.
    """

    cell: CellConfig
    irreps: tuple[str, ...]
    irrep_dims: tuple[int, ...]
    steps: np.ndarray
    metrics: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        """Check that all axes agree."""
        scalar = (len(self.cell.seeds), len(self.steps))
        allowed = (scalar, (*scalar, len(self.irreps)))
        for name, values in self.metrics.items():
            if values.shape not in allowed:
                raise ValueError(
                    f"{self.cell.name}: {name} has shape {values.shape}; "
                    f"allowed are {allowed[0]} and {allowed[1]}"
                )

    @property
    def num_runs(self) -> int:
        """Number of runs, one per seed."""
        return len(self.cell.seeds)

    @property
    def group_name(self) -> str:
        """Name of the group; for a file, its name without folder and ending."""
        return display_name(self.cell.group)

    @property
    def settings(self) -> str:
        """Swept settings, as in the name of the cell."""
        prefix = f"{folder_name(self.cell.group)}_{self.cell.architecture}"
        return self.cell.name.removeprefix(prefix).removeprefix("_")

    def final(self, name: str) -> np.ndarray:
        """Return one metric at the last evaluated step: (run) or (run, irrep)."""
        return self.metrics[name][:, -1]

    @cached_property
    def is_key(self) -> np.ndarray:
        """Return whether each irrep is key: (run, irrep) bool."""
        nontrivial = np.array(self.irreps) != "trivial"
        return nontrivial & (self.final("logit_similarity") > KEY_SIMILARITY)

    @cached_property
    def learned_step(self) -> np.ndarray:
        """Step at which each irrep was learned, inf if never: (run, irrep) float."""
        learned = self.metrics["logit_similarity"] > LEARNED_SIMILARITY
        first = self.steps[np.argmax(learned, axis=1)]
        return np.where(learned.any(axis=1), first, np.inf)

    def key_irreps(self, run: int) -> tuple[str, ...]:
        """Return the names of the key irreps of a run in order of learning.

        Irreps learned at the same step are sorted by falling final similarity. Irreps
        that never passed `LEARNED_SIMILARITY` come last, sorted likewise.
        """
        similarity = self.final("logit_similarity")[run]
        order = np.lexsort((-similarity, self.learned_step[run]))
        return tuple(self.irreps[i] for i in order if self.is_key[run, i])

    @property
    def diverged(self) -> np.ndarray:
        """Return whether each run was ended by a loss that is not finite: (run) bool.

        A run that broke in its last step took all steps, but has no finite loss.
        """
        stopped = self.final("trained_steps") < self.steps[-1]
        return stopped | ~np.isfinite(self.final("train_loss"))

    @property
    def generalised(self) -> np.ndarray:
        """Return whether each run has generalised: (run) bool."""
        return self.has_generalised[:, -1]

    @cached_property
    def has_generalised(self) -> np.ndarray:
        """Return the same at every evaluation: (run, evaluation) bool."""
        return has_generalised(self.metrics)

    def save(self, directory: Path) -> Path:
        """Write `directory`/trajectory.npz atomically and return its path."""
        path = directory / TRAJECTORY
        arrays: dict[str, Any] = {
            "cell": np.array(json.dumps(self.cell.to_json())),
            "irreps": np.array(self.irreps),
            "irrep_dims": np.array(self.irrep_dims),
            "steps": self.steps,
        }
        arrays |= {METRIC_PREFIX + name: x for name, x in self.metrics.items()}
        write_atomically(path, lambda file: np.savez_compressed(file, **arrays))
        return path

    @staticmethod
    def exists(directory: Path) -> bool:
        """Return whether `directory` has a trajectory: its cell is finished."""
        return (directory / TRAJECTORY).exists()

    @classmethod
    def load(cls, directory: Path) -> "CellResults":
        """Read the results that `save` wrote.

        Raises:
            FileNotFoundError: if there is no trajectory.
            ConfigError: if the file is damaged or of another kind, or if the cell's
                group has changed (see `group_tables`).
        """
        path = directory / TRAJECTORY
        try:
            # Opened here: np.load leaks the file if it is not a whole archive.
            with path.open("rb") as file, np.load(file) as archive:
                arrays = dict(archive)
            results = cls(
                cell=CellConfig.from_json(json.loads(str(arrays["cell"]))),
                irreps=tuple(arrays["irreps"].tolist()),
                irrep_dims=tuple(arrays["irrep_dims"].tolist()),
                steps=arrays["steps"],
                metrics={
                    name.removeprefix(METRIC_PREFIX): values
                    for name, values in arrays.items()
                    if name.startswith(METRIC_PREFIX)
                },
            )
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile, zlib, numpy and json each have their own
            raise ConfigError(f"{path}: not a readable trajectory ({error})") from error
        recall_group(results.cell, directory)
        return results


class Trajectories:
    """Results of finished cells, each file read once.

    A file has some forty arrays and takes 2 ms: as long as the training of a small cell
    in a sweep of thousands.
    """

    def __init__(self):
        """Start empty; files are read when needed."""
        self._read: dict[Path, CellResults] = {}

    def load(self, directory: Path) -> CellResults:
        """Return the results of the cell in a folder; see `CellResults.load`."""
        if directory not in self._read:
            self._read[directory] = CellResults.load(directory)
        return self._read[directory]

    def save(self, results: CellResults, directory: Path) -> None:
        """Write the results of the cell in a folder, and remember them."""
        results.save(directory)
        self._read[directory] = results

    def load_workdir(self, workdir: Path) -> tuple[CellResults, ...]:
        """Return the results of all finished cells in a workdir, by folder."""
        paths = sorted(workdir.glob(f"*/{TRAJECTORY}"))
        return tuple(self.load(path.parent) for path in paths)


def load_workdir(workdir: Path) -> tuple[CellResults, ...]:
    """Return the results of all finished cells in a workdir, by name of the cell."""
    return Trajectories().load_workdir(workdir)
