"""What made the numbers in a workdir: code, versions, devices, settings."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from repjax import __version__
from repjax.engine.backend import processor
from repjax.engine.placement import plan_for
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import read_json, write_json

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def write_manifest(
    workdir: Path, cells: Sequence[CellConfig], request: Mapping[str, Any]
) -> None:
    """Writes `workdir`/manifest.json: this call, and under `earlier` those before it.

    A call that says what the one before said is not noted again.

    Args:
        workdir: where the sweep goes.
        cells: what is trained there.
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
        "cells": {cell.name: _program(cell) for cell in cells},
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


def _program(cell: CellConfig) -> dict[str, Any]:
    """What decides the bits of a cell besides its settings."""
    plan = plan_for(cell)
    return {
        "runs": plan.runs,
        "parts": plan.parts,
        "devices": plan.devices,
        "ensemble_width": plan.width,
        "at_once": plan.at_once,
        "block": plan.block,
        "segments": plan.segments,
        "matmul_precision": cell.matmul_precision,
    }


def commit() -> str:
    """Commit of the code, with `-dirty` after it if files differ; or `unknown`.

    Where there is no repository, as in an image, REPJAX_COMMIT says it. A repository
    that does not track this file is another project's, with repjax installed inside.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--abbrev=40", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("REPJAX_COMMIT", "unknown")


def _git(*arguments: str) -> str:
    """Output of git in the folder of this file; it fails where git does."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
