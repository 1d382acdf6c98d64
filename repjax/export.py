"""Write one network to a safetensors file for other programs, and read it back.

repjax export --workdir=DIR --run=CELL/SEED --out=F.safetensors [--step=N]

CELL is a folder in the workdir, such as S5_mlp; N a step with a snapshot. The tensors
of an MLP have the names of the paper's code, those of a transformer TransformerLens's,
zero biases included. The metadata hold the rest in JSON: `group`, `elements` (the
element of each index; for a table file, its `table`), `cell` (all settings), `seed`,
`step`, and `train_pairs` (pair (a, b) has index a·n + b).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from jaxtyping import Int

from repjax import command_line
from repjax.groups import build_group
from repjax.groups.permutations import build_permutations
from repjax.reference.formats import tensor_name, zero_biases
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import as_path
from repjax.storage.rounds import round_of
from repjax.storage.tensors import read_tensors, write_tensors
from repjax.storage.workdirs import cell_directories, parse_step, read_cell

_FLAGS = flags.FlagValues()
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Directory that was trained in or imported to.",
    flag_values=_FLAGS,
)
_RUN = flags.DEFINE_string(
    "run", None, "CELL/SEED, such as S5_mlp/1.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File to write.", flag_values=_FLAGS)
_STEP = flags.DEFINE_string(
    "step",
    None,
    "A step with a snapshot; the newest checkpoint if not given.",
    flag_values=_FLAGS,
)

FORMAT = "repjax 1"


@dataclass(frozen=True, eq=False)
class Export:
    """One network with the data that a file holds.

    Attributes:
        cell: settings; `cell.seeds` are the seeds of all runs of the cell.
        seed: seed of this network.
        step: optimiser steps taken.
        weights: weights by repjax's names, float32.
        train_pairs: increasing indices a·n + b.
    """

    cell: CellConfig
    seed: int
    step: int
    weights: dict[str, np.ndarray]
    train_pairs: Int[np.ndarray, " train"]

    @property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """Weights in the form that the networks of `repjax.models` take."""
        return {"params": self.weights}


def main() -> None:
    """Write a safetensors file from a checkpoint."""
    workdir = _required(_WORKDIR, "a directory that was trained in or imported to")
    name = _required(_RUN, "CELL/SEED, such as S5_mlp/1")
    out = _required(_OUT, "a file")
    if as_path(out).suffix != ".safetensors":
        raise ConfigError(
            f"--out: '{out}' is not allowed; use a name that ends in .safetensors"
        )
    step = None if _STEP.value is None else parse_step(_STEP.value)
    cell_directories([as_path(workdir)])  # raises if it is no workdir
    run = read_checkpoint(as_path(workdir), name, step)
    try:
        save_export(run, as_path(out))
    except OSError as error:
        raise ConfigError(f"--out: '{out}': {error.strerror}; use a file") from None
    print(f"repjax: {name} at step {run.step} in {out}")


def _required(flag: flags.FlagHolder, what: str) -> str:
    if not flag.value:
        raise ConfigError(f"--{flag.name}: missing; use {what}")
    return flag.value


def read_checkpoint(workdir: Path, name: str, step: int | None = None) -> Export:
    """Read the run CELL/SEED from the newest checkpoint, or a snapshot at `step`."""
    cell_name, _, seed = name.rpartition("/")
    directory = workdir / cell_name
    if not cell_name or not (directory / "config.json").is_file():
        known = sorted(path.parent.name for path in workdir.glob("*/config.json"))
        raise ConfigError(
            f"--run: '{name}' names no cell in {workdir}; "
            f"use CELL/SEED with CELL in {', '.join(known) or '(none)'}"
        )
    cell = read_cell(directory)
    if seed not in map(str, cell.seeds):
        seeds = ", ".join(map(str, cell.seeds))
        raise ConfigError(f"--run: '{name}': {cell_name} has the seeds {seeds}")

    from repjax.engine.saved import latest_step, read_networks, runs_of_cell

    past = round_of(directory)
    if past is None or latest_step(past) is None:
        raise ConfigError(f"--run: '{name}' has no checkpoint yet")
    try:
        step, state = read_networks(past, step)
    except LookupError as error:
        raise ConfigError(f"--step: {step} is not allowed; {error}") from None
    state = runs_of_cell(past, cell, state)
    index = cell.seeds.index(int(seed))
    return Export(
        cell=cell,
        seed=int(seed),
        step=step,
        weights={
            name: np.asarray(w)[index] for name, w in state.params["params"].items()
        },
        train_pairs=np.asarray(state.train_pairs)[index],
    )


def save_export(run: Export, path: Path) -> None:
    """Write `path` atomically."""
    kind = run.cell.architecture
    tensors = {tensor_name(kind, name): w for name, w in run.weights.items()}
    if kind == "transformer":
        tensors |= zero_biases(run.weights)
    write_tensors(path, tensors, _metadata(run))


def load_export(path: Path) -> Export:
    """Return the network in a file that `save_export` wrote.

    Raises:
        ConfigError: the file is missing, damaged, or of another kind.
    """
    tensors, metadata = read_tensors(path, FORMAT)
    try:
        cell = CellConfig.from_json(json.loads(metadata["cell"]))
        return Export(
            cell=cell,
            seed=json.loads(metadata["seed"]),
            step=json.loads(metadata["step"]),
            weights={
                name: tensors[tensor_name(cell.architecture, name)]
                for name in cell.sizes.weights(build_group(cell.group).order)
            },
            train_pairs=np.array(json.loads(metadata["train_pairs"]), np.int32),
        )
    except KeyError as error:
        raise ConfigError(f"{path}: lacks {error}") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: its metadata are damaged: {error}") from None


def _metadata(run: Export) -> dict[str, str]:
    values: Mapping[str, Any] = {
        "group": run.cell.group,
        **_elements(run.cell.group),
        "cell": run.cell.to_json(),
        "seed": run.seed,
        "step": run.step,
        "train_pairs": run.train_pairs.tolist(),
    }
    return {"format": FORMAT} | {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def _elements(name: str) -> dict[str, Any]:
    """Describe the element behind each index of the group."""
    group = build_group(name)
    if group.family is None:
        elements = group.elements or "rows of table"
        return {"elements": elements, "table": group.table.tolist()}
    family, degree = group.family
    if family in "SA":
        images = build_permutations(degree, even=family == "A")
        return {"elements": images.tolist(), "product": "xy applies x first, then y"}
    powers = [f"r^{k}" for k in range(degree)]
    if family == "C":
        return {"elements": powers}
    return {
        "elements": powers + [f"{power} s" for power in powers],
        "product": "s r = r^-1 s",
    }


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
