"""What made the numbers in a workdir: code, versions, devices, settings."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from repjax import __version__
from repjax.config import CellConfig
from repjax.ensemble import slots_per_device, usable_devices
from repjax.files import write_json

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def write_manifest(
    workdir: Path, cells: Sequence[CellConfig], request: Mapping[str, Any]
) -> None:
    """Writes `workdir`/manifest.json.

    Args:
        workdir: where the sweep goes.
        cells: what is trained there.
        request: config file, config, overrides and shard as the user gave them.
    """
    write_json(
        workdir / "manifest.json",
        {
            **request,
            "versions": {"repjax": __version__, "python": platform.python_version()}
            | {package: version(package) for package in _PACKAGES},
            "commit": commit(),
            "devices": [device.device_kind for device in jax.devices()],
            "processor": processor(),
            "cells": {cell.name: _program(cell) for cell in cells},
        },
    )


def _program(cell: CellConfig) -> dict[str, Any]:
    """What decides the bits of a cell besides its settings."""
    num_runs = len(cell.seeds)
    devices = usable_devices(num_runs)
    return {
        "runs": num_runs,
        "devices": len(devices),
        "ensemble_width": slots_per_device(num_runs, devices) * len(devices),
        "matmul_precision": cell.matmul_precision,
    }


def commit() -> str:
    """Commit of the code, with `-dirty` after it if files differ; or `unknown`."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def processor() -> str:
    """Name of the host's processor as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
