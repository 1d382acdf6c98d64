"""The launch scripts, with stand-ins of gcloud, kubectl and Slurm first on PATH."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LAUNCH = REPOSITORY / "launch"
STAND_INS = Path(__file__).parent / "stand_ins"
TINY = (
    "--config=experiments/base.py",
    "--config.groups=S3",
    "--config.num_seeds=3",
    "--config.num_steps=40",
    "--config.train_fraction=0.7",
    "--config.mlp.embed_dim=8",
    "--config.mlp.hidden_dim=12",
    "--config.evaluation.num_evaluations=6",
)


class StandIn:
    """A cloud, a cluster and a Slurm, whose state and records are files in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self.scenario("WAITING_FOR_RESOURCES", "PROVISIONING", "ACTIVE/READY")
        self.write("num_workers", "1")
        self.write("calls", "")
        path = [str(STAND_INS), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = os.environ | {
            "STAND_IN": str(folder),
            "TRAINER": str(STAND_INS / "trainer"),
            "PATH": ":".join(path),
            "JAX_NUM_CPU_DEVICES": "1",
            "CLOUDSDK_CONFIG": str(folder),  # should the real gcloud ever be called
        }
        for name in [*self.environment]:
            if name.startswith(("SLURM_", "SBATCH_")):
                del self.environment[name]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def scenario(self, *states: str) -> None:
        """What a new resource or job is found to be, one look after another."""
        self.write("scenario", "\n".join(states))

    def ends(self, *ends: str, worker: int = 0) -> None:
        """How the trainer of a worker ends, one start after another."""
        self.write(f"ends-{worker}", "".join(f"{end}\n" for end in ends))

    def start(self, script: str, *arguments: str, **options) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [LAUNCH / script, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )
        self._started.append(process)
        return process

    def run(self, script: str, *arguments: str, **options) -> tuple[int, str]:
        """Exit code and everything printed."""
        process = self.start(script, *arguments, **options)
        out, _ = process.communicate(timeout=300)
        return process.returncode, out

    def calls(self, *words: str) -> list[list[str]]:
        """What was called so far, as far as it holds all of `words`."""
        lines = (self.folder / "calls").read_text().splitlines()
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if {*words} <= {*call}]

    def forget_calls(self) -> None:
        self.write("calls", "")

    def trained(self) -> list[str]:
        file = self.folder / "trained"
        return file.read_text().splitlines() if file.exists() else []

    def home(self, name: str, worker: int = 0) -> Path:
        return self.folder / "workers" / name / str(worker)

    def kill(self, name: str, number: int, worker: int = 0) -> None:
        """A signal to all processes that train on a worker."""
        file = self._state(name, worker) / "pid"
        # Written after the start of the process, which may already have said so.
        wait_until(lambda: file.exists() and file.read_text())
        pid = int(file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)

    def preempt(self, name: str, state: str = "SUSPENDED") -> None:
        """A machine is taken away: it cannot be reached, SIGTERM, time to save."""
        (self.folder / "resources" / name / "states").write_text(state)
        self.kill(name, signal.SIGTERM)
        training = self._state(name)
        # Nothing after that: whoever calls again may have another machine already.
        wait_until(lambda: (training / "exit_code").exists() or not training.exists())

    def _state(self, name: str, worker: int = 0) -> Path:
        """Where worker.sh notes how its training is."""
        return self.home(name, worker) / "repjax-run"

    def stop_everything(self) -> None:
        """So that a test that fails leaves no process behind."""
        workers = self.folder.glob("workers/*/*/repjax-run/pid")
        groups = [int(file.read_text()) for file in workers]
        for group in groups + [process.pid for process in self._started]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def wait_until(happened: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
