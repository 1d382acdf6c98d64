"""Checkpoints of a round; the only importer of orbax.

A checkpoint is a few trees of arrays, read without padding, so that a cell begun on
four devices can resume on one or eight. After orbax has committed it (on a disk by a
rename), the digest of every file is written beside it. A checkpoint without a digest is
half-written; one that differs from its digest is damaged. Either is set aside, and the
one before is used.
"""

import contextlib
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from repjax.storage import hosts
from repjax.storage.files import (
    files_below,
    is_local,
    read_json,
    remove_tree,
    write_json,
)

SET_ASIDE = "damaged"
"""Folder for unusable checkpoints, beside the others."""

_NONE = -1

_ROWS = "_rows"
"""Suffix of the item that holds the row numbers of a spread tree."""


class Checkpoints:
    """The checkpoints in one folder, the newest `keep` of them."""

    def __init__(
        self,
        directory: Path,
        keep: int = 2,
        read_only: bool = False,
        check_lock: Callable[[], None] = lambda: None,
    ):
        """Open `directory`; unless `read_only`, make it and clear half-written steps.

        Args:
            directory: folder of the checkpoints.
            keep: number of checkpoints to keep.
            read_only: whether to make and move nothing.
            check_lock: raises an error if another process has taken `directory`.
        """
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax raises, too
        self._directory = directory.absolute() if is_local(directory) else directory
        self._keep = keep
        self._read_only = read_only
        self._check_lock = check_lock
        self._orbax = ocp.Checkpointer(ocp.CompositeCheckpointHandler())
        if not read_only:
            hosts.by_first(self._open)

    def _open(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._clear_unfinished()

    def latest_step(self) -> int | None:
        """Return the step of the newest whole checkpoint, None if there is none.

        Newer ones that are not whole are named on stderr and, unless `read_only`, moved
        to `damaged/`.
        """
        newest = hosts.by_first(self._newest)
        step = hosts.agree(_NONE if newest is None else newest)
        return None if step == _NONE else step

    def _newest(self) -> int | None:
        steps = sorted(self._steps(), reverse=True)
        for step in steps:
            fault = self._fault(step)
            if fault is None:
                return step
            self._set_aside(step, fault)
        if steps and not self._read_only:
            print(
                f"repjax: no usable checkpoint is left in {self._directory}: training "
                "starts at step 0",
                file=sys.stderr,
            )
        return None

    def save(self, step: int, trees: Mapping[str, Any]) -> None:
        """Save named trees as `step`, and remove all but the newest checkpoints.

        Args:
            step: name of the checkpoint.
            trees: name → tree of NumPy arrays, or a `hosts.Spread`, of which every
                process writes the rows that it holds.
        """
        path = self._path(step)
        items = {}
        for name, tree in trees.items():
            if isinstance(tree, hosts.Spread):
                items[name + _ROWS] = ocp.args.StandardSave({"rows": tree.rows})
                tree = tree.tree
            items[name] = ocp.args.StandardSave(tree)
        hosts.by_first(lambda: self._begin(step))
        try:
            self._orbax.save(path, args=ocp.args.Composite(**items), force=True)
        except Exception as error:
            if hosts.is_first():
                with contextlib.suppress(OSError):
                    self._clear_unfinished()
            raise _as_os_error(error, path) from None
        hosts.by_first(lambda: self._commit(step))

    def _begin(self, step: int) -> None:
        self._check_lock()
        self._digest(step).unlink(missing_ok=True)

    def _commit(self, step: int) -> None:
        """Write the digest, which makes a checkpoint count, and remove old ones."""
        self._check_lock()  # a suspended process may have been replaced
        write_json(self._digest(step), _digests(self._path(step)))
        for old in sorted(self._steps())[: -self._keep]:
            self._digest(old).unlink(missing_ok=True)
            remove_tree(self._path(old))

    def restore(self, step: int, trees: Mapping[str, Any]) -> dict[str, Any]:
        """Return the trees of `step` named in `trees`, as NumPy arrays without padding.

        Args:
            step: a step that `latest_step` returned.
            trees: name -> tree of arrays or shapes to restore into, or None for the
                nested dicts that were saved.
        """
        rows_of = {name: name + _ROWS for name in trees if self._is_spread(step, name)}
        blanks = {name: self._blank(step, name, trees[name]) for name in trees}
        blanks |= {item: self._blank(step, item, None) for item in rows_of.values()}
        items = {name: ocp.args.StandardRestore(tree) for name, tree in blanks.items()}
        read = self._orbax.restore(self._path(step), args=ocp.args.Composite(**items))
        restored = {name: jax.tree.map(np.asarray, read[name]) for name in trees}
        for name, item in rows_of.items():
            of_runs = partial(np.take, indices=np.asarray(read[item]["rows"]), axis=0)
            restored[name] = jax.tree.map(of_runs, restored[name])
        return restored

    def _is_spread(self, step: int, name: str) -> bool:
        return (self._path(step) / (name + _ROWS)).is_dir()

    def _blank(self, step: int, name: str, tree: Any) -> Any:
        """Return arrays to read into; else orbax needs the devices that saved them."""
        stored = ocp.StandardCheckpointHandler().metadata(self._path(step) / name).tree
        if tree is None:
            return jax.tree.map(lambda x: np.empty(x.shape, x.dtype), stored)
        if not self._is_spread(step, name):
            return jax.tree.map(lambda x: np.empty(x.shape, x.dtype), tree)
        width = jax.tree.leaves(stored)[0].shape[0]
        return jax.tree.map(lambda x: np.empty((width, *x.shape[1:]), x.dtype), tree)

    def close(self) -> None:
        """Stop orbax's threads."""
        self._orbax.close()

    def _clear_unfinished(self) -> None:
        for unfinished in self._directory.glob("*.orbax-checkpoint-tmp*"):
            remove_tree(unfinished)

    def _path(self, step: int) -> Path:
        return self._directory / str(step)

    def _digest(self, step: int) -> Path:
        return self._directory / f"{step}.sha256.json"

    def _steps(self) -> Iterator[int]:
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                if path.name.isdecimal() and path.is_dir():
                    yield int(path.name)

    def _fault(self, step: int) -> str | None:
        """Describe the damage of a checkpoint; None if it is whole."""
        try:
            stored = read_json(self._digest(step))
        except FileNotFoundError:
            return "it has no digest: half-written"
        except ValueError:
            return "its digest is damaged"
        if not isinstance(stored, dict):
            return "its digest is damaged"
        found = _digests(self._path(step))
        for name in sorted(stored.keys() | found.keys()):
            if name not in found:
                return f"{name} is missing"
            if stored.get(name) != found[name]:
                return f"{name} differs from its digest"
        return None

    def _set_aside(self, step: int, fault: str) -> None:
        path, aside = self._path(step), self._directory / SET_ASIDE / str(step)
        message = f"repjax: checkpoint {path} is not used: {fault}"
        if self._read_only:
            print(message, file=sys.stderr)
            return
        if aside.exists():
            remove_tree(aside)
        # Also makes the folder, which in a bucket exists only with a file in it.
        write_json(aside.with_name(f"{step}.json"), {"fault": fault})
        path.rename(aside)
        self._digest(step).unlink(missing_ok=True)
        print(f"{message}; moved to {aside}", file=sys.stderr)


def _as_os_error(error: Exception, path: Path) -> Exception:
    """Return the OSError that tensorstore hides in a ValueError, else the error."""
    if code := re.search(r"os_error_code='(\d+)'", str(error)):
        number = int(code[1])
        return OSError(number, os.strerror(number), str(path))
    return error


def _digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `directory`, by relative path."""
    digests = {}
    for path in files_below(directory):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        digests[path.relative_to(directory).as_posix()] = digest
    return digests
