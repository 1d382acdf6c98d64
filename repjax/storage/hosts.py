"""The processes of one program that spans several hosts (`--distributed`).

All of them run the same code and must take the same branches. The first process decides
whatever depends on a clock, a signal or a disk, and writes all files except the others'
rows of a checkpoint. With a single process everything here is the identity.
"""

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Value = TypeVar("Value")


class FirstFailed(Exception):
    """The first process failed with an error, which it reports itself."""


class Spread(NamedTuple):
    """Arrays whose rows are spread over the devices of all hosts.

    Attributes:
        tree: jax arrays with the same number of rows.
        rows: the row of each run, an int array; other rows are padding.
    """

    tree: Any
    rows: np.ndarray


def join() -> None:
    """Join the processes of a slice; call this before JAX is first used.

    On TPU slices, Slurm, MPI and Kubernetes JAX finds the processes by itself.
    Elsewhere JAX_COORDINATOR_ADDRESS (host:port of the first), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID must be set.

    Raises:
        RuntimeError, ValueError: there is no slice.
    """
    count, index = (
        os.environ.get(name) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
    )
    # It would handle SIGTERM itself, and our handler would not be called.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        num_processes=int(count) if count else None,
        process_id=int(index) if index else None,
    )


def is_first() -> bool:
    """Return whether this is the first process, which decides and writes files."""
    return jax.process_index() == 0


def are_one() -> bool:
    """Return whether there is no other process."""
    return jax.process_count() == 1


def by_first(action: Callable[[], Value]) -> Value | None:
    """Run `action` in the first process and return its result; None in the others.

    Raises:
        FirstFailed: in the others if `action` fails in the first, which raises its
            error. So no process waits for one that is gone.
    """
    value, error = None, None
    if is_first():
        try:
            value = action()
        except Exception as failed:
            error = failed
    if any_of(error is not None):
        raise error or FirstFailed("the first process could not go on; see its message")
    return value


def agree(value: int) -> int:
    """Return the first process's value on all processes."""
    if are_one():
        return value
    return int(multihost_utils.broadcast_one_to_all(np.int64(value)))


def share(value: Value) -> Value:
    """Return the first process's value on all processes; it must be valid JSON."""
    if are_one():
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    size = agree(text.size)
    padded = np.resize(text, size) if text.size else np.zeros(size, np.uint8)
    told = multihost_utils.broadcast_one_to_all(padded)
    return json.loads(bytes(np.asarray(told, np.uint8)))


def any_of(flag: bool) -> bool:
    """Return whether the flag is set on any process."""
    if are_one():
        return flag
    return bool(multihost_utils.process_allgather(np.array(flag)).any())


def gather(tree: Any) -> Any:
    """Return arrays spread over the devices of all hosts as whole NumPy arrays."""
    if are_one():
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def wait_for_all(name: str) -> None:
    """Wait until every process has reached the point called `name`."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
