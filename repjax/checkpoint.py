"""Checkpoints of a cell: the only importer of orbax.

A checkpoint is a tree of NumPy arrays without padding, so that a cell begun on four
devices goes on with one or eight. orbax commits a step by one rename: a process killed
while saving leaves the step before.
"""

import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints in one folder, the newest `keep` of them."""

    def __init__(self, directory: Path, keep: int = 2, read_only: bool = False):
        """Opens `directory`; to write to it, makes it and clears half-written steps."""
        logging.getLogger("absl").setLevel(logging.WARNING)
        self._manager = ocp.CheckpointManager(
            directory.absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                enable_async_checkpointing=False,
                cleanup_tmp_directories=not read_only,
                create=not read_only,
                read_only=read_only,
            ),
        )

    def latest_step(self) -> int | None:
        """Step of the newest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, tree: Any) -> None:
        """Saves `tree` as `step`; a step that is already there stays as it is."""
        if step != self.latest_step():
            self._manager.save(step, args=ocp.args.StandardSave(tree))
            self._manager.wait_until_finished()

    def restore(self, step: int, abstract: Any) -> Any:
        """The tree saved as `step`, as NumPy arrays shaped like `abstract`."""
        target = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), abstract)
        return self._manager.restore(step, args=ocp.args.StandardRestore(target))

    def close(self) -> None:
        """Ends orbax's threads."""
        self._manager.close()
