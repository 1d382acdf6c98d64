"""The program that the scripts in this folder disturb: a small sweep, for real.

Three groups × two architectures, three seeds each, on two CPU devices: S3 and C6 train
together in a round of `programs/`, C7 alone. Every process is `python -m repjax.main`,
and compiled programs are kept so that a restart is quick.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ("seeds.csv", "table3.csv", "table3.md", "table3.tex")
UNDISTURBED = "undisturbed"

_STARTED = re.compile(
    r"^([\w, ]+): \d+ runs, ([\d,]+) steps(?:, resumed at step ([\d,]+))?$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Sweep:
    """A sweep, and the folder that holds its workdirs and their logs."""

    folder: Path
    groups: str = "S3,C6,C7"
    num_steps: int = 5_000
    architectures: str = "mlp,transformer"
    num_evaluations: int = 50
    every_seconds: float = 0.2
    max_chunk_seconds: float = 0.2

    def workdir(self, name: str) -> Path:
        """The workdir called `name`."""
        return self.folder / name

    def flags(self, name: str) -> list[str]:
        """Of `repjax.main`, to train in the workdir called `name`."""
        settings = {
            "groups": self.groups,
            "architectures": self.architectures,
            "num_seeds": 3,
            "num_steps": self.num_steps,
            "train_fraction": 0.7,
            "mlp.embed_dim": 8,
            "mlp.hidden_dim": 12,
            "transformer.num_heads": 2,
            "transformer.d_model": 8,
            "transformer.d_head": 4,
            "transformer.d_mlp": 12,
            "evaluation.num_evaluations": self.num_evaluations,
            "checkpoint.every_seconds": self.every_seconds,
            "max_chunk_seconds": self.max_chunk_seconds,
        }
        flags = [f"--config.{key}={value}" for key, value in settings.items()]
        config = f"--config={ROOT / 'experiments' / 'base.py'}"
        return [config, *flags, f"--workdir={self.workdir(name)}"]

    def start(self, name: str, log: Path) -> subprocess.Popen[bytes]:
        """`repjax.main` in the workdir called `name`; `log` gets all that it says."""
        command = [sys.executable, "-m", "repjax.main", *self.flags(name)]
        environment = {
            "JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        } | os.environ
        environment |= {
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": "2",
            "PYTHONUNBUFFERED": "1",  # what was said before a kill is to be seen
        }
        with log.open("wb") as file:
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=file
            )

    def finish(self, name: str) -> str:
        """Lets the program run to the end, which is to be a good one; what it said."""
        log = self.folder / f"{name}.log"
        code = self.start(name, log).wait(timeout=3600)
        if code:
            raise AssertionError(f"exit code {code}:\n{log.read_text()}")
        return log.read_text()


def starts(log: str) -> Iterator[tuple[str, int]]:
    """(round, step) of every training that a log says has begun, 0 for a new one."""
    for name, _, step in _STARTED.findall(log):
        yield name, int(step.replace(",", "") or 0)


def differences(wanted: dict[str, str], workdir: Path) -> list[str]:
    """The tables and cells of a workdir whose numbers are not those wanted."""
    found = outcome(workdir)
    parts = sorted(wanted.keys() | found.keys())
    return [part for part in parts if wanted.get(part) != found.get(part)]


def checkpoint_folders(workdir: Path) -> list[Path]:
    """The folders of checkpoints: of cells, and of rounds of several."""
    return [*workdir.glob("*/checkpoints"), *workdir.glob("programs/*/checkpoints")]


def checkpoint_steps(directory: Path) -> list[int]:
    """The steps of a round that are saved, digest and all."""
    digests = (directory / "checkpoints").glob("*.sha256.json")
    return sorted(int(path.name.partition(".")[0]) for path in digests)


def outcome(workdir: Path) -> dict[str, str]:
    """Digests of the tables, and of each cell's numbers in its last checkpoint."""
    import jax
    import numpy as np

    from repjax.storage.checkpoint import Checkpoints
    from repjax.storage.rounds import round_of
    from repjax.storage.workdirs import read_cell

    digests = {
        name: hashlib.sha256((workdir / name).read_bytes()).hexdigest()
        for name in RESULTS
    }
    for directory in sorted(path.parent for path in workdir.glob("*/config.json")):
        past, cell = round_of(directory), read_cell(directory)
        assert past is not None, directory
        checkpoints = Checkpoints(past.checkpoints, read_only=True)
        step = checkpoints.latest_step()
        assert step is not None, directory
        trees = checkpoints.restore(step, {"state": None, "metrics": None})
        checkpoints.close()
        digest, rows = hashlib.sha256(str(step).encode()), past.rows(cell)
        leaves = jax.tree_util.tree_leaves_with_path(trees)
        for path, leaf in leaves:
            array = np.asarray(leaf)[rows]
            digest.update(f"{path} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        assert len(leaves) > 10, directory
        digests[directory.name] = digest.hexdigest()
    return digests


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Waits for `condition`; False if the process ends before it holds."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.002)
    return False
