"""Write manifest.json: the code, versions, devices and settings behind a workdir."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax

from repjax import __version__
from repjax.engine.backend import processor
from repjax.engine.placement import frame_of, plan_for
from repjax.engine.precision import resolve
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import read_json, write_json
from repjax.storage.rounds import group

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def write_manifest(
    workdir: Path, cells: Sequence[CellConfig], request: Mapping[str, Any]
) -> None:
    """Write `workdir`/manifest.json: this call, with previous calls under `earlier`.

    A call that equals the previous one is not recorded again.

    Args:
        workdir: directory of the sweep.
        cells: cells trained there.
        request: config file, config, overrides and shard as the user gave them.
    """
    path = workdir / "manifest.json"
    call = {
        **request,
        "versions": {"repjax": __version__, "python": platform.python_version()}
        | {package: version(package) for package in _PACKAGES},
        "commit": commit(),
        "devices": [device.device_kind for device in jax.devices()],
        "processor": processor(),
        "cells": {
            cell.name: program
            for members in group(cells)
            for cell, program in _programs(members)
        },
    }
    call = json.loads(json.dumps(call))
    last = read_json(path) if path.exists() else {}
    if not isinstance(last, dict):
        raise ConfigError(
            f"{path}: not a manifest; put back a copy of it, or remove it"
        )
    earlier = last.pop("earlier", [])
    if last and last != call:
        earlier.append(last)
    write_json(path, call | {"earlier": earlier})


def _programs(
    cells: Sequence[CellConfig],
) -> Iterator[tuple[CellConfig, dict[str, Any]]]:
    """Yield the layout of cells that train together, which affects their bits."""
    plan = plan_for(frame_of([cells]).cell)
    for cell in cells:
        yield (
            cell,
            {
                "runs": len(cell.seeds),
                "runs_together": plan.runs,
                "parts": plan.parts,
                "devices": plan.devices,
                "ensemble_width": plan.width,
                "at_once": plan.at_once,
                "block": plan.block,
                "lists_pairs": plan.lists_pairs,
                "steps_a_turn": plan.steps_a_turn,
                "segments": plan.segments,
                "matmul_precision": resolve(cell, jax.devices()[0]),
            },
        )


def commit() -> str:
    """Return the commit of the code, with `-dirty` if files differ; or `unknown`.

    Without a repository, as in an image, REPJAX_COMMIT sets it, and a wheel carries the
    commit of its build. A repository that does not track this file is another
    project's, with repjax installed inside.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--abbrev=40", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("REPJAX_COMMIT") or _commit_of_wheel()


def _commit_of_wheel() -> str:
    """Return the commit that hatch_build.py wrote into the installed wheel."""
    try:
        return files("repjax").joinpath("commit.txt").read_text("utf-8")
    except OSError:
        return "unknown"


def _git(*arguments: str) -> str:
    """Return the output of git in the folder of this file; raise if git fails."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
