"""`--distributed`: several processes, one program, as on the hosts of a TPU slice."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import chex
import pytest

from repjax.engine.parts import build_ensemble
from repjax.storage.checkpoint import Checkpoints
from repjax.storage.lock import locked
from repjax.storage.workdirs import read_cell
from tests.faults.program import RESULTS, checkpoint_steps

ROOT = Path(__file__).parent.parent
SWEEP = (
    "--config=experiments/quickstart.py",
    "--config.groups=S3",
    "--config.num_steps=2000",
    "--config.num_seeds=3",
    "--config.mlp.hidden_dim=16",
)
# A checkpoint after every millisecond of training: on no machine does it end in time.
SLOW = ("--config.max_chunk_seconds=0.001", "--config.checkpoint.every_seconds=0")


def start(workdir, log, devices, *flags, **environment):
    """repjax.main in a process of its own, with so many CPU devices."""
    environment = os.environ | environment | {"JAX_NUM_CPU_DEVICES": str(devices)}
    command = [sys.executable, "-m", "repjax.main", *SWEEP, f"--workdir={workdir}"]
    with log.open("a") as file:
        return subprocess.Popen(
            [*command, *flags], cwd=ROOT, env=environment, stdout=file, stderr=file
        )


def start_two(workdir, logs, *flags):
    """The two processes of one program, with a device each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        start(
            workdir,
            log,
            1,
            "--distributed",
            *flags,
            JAX_COORDINATOR_ADDRESS=address,
            JAX_NUM_PROCESSES="2",
            JAX_PROCESS_ID=str(index),
        )
        for index, log in enumerate(logs)
    ]


def wait(processes, logs):
    """Exit codes; the logs, where one is still running after minutes."""
    try:
        return [process.wait(timeout=240) for process in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
        pytest.fail("\n".join(log.read_text() for log in logs))


def wait_for_checkpoint(workdir, logs):
    for _ in range(2400):
        if list((workdir / "S3_mlp" / "checkpoints").glob("*.sha256.json")):
            return
        time.sleep(0.05)
    pytest.fail("\n".join(log.read_text() for log in logs))


@pytest.fixture(scope="module")
def of_one_process(tmp_path_factory):
    """The results of one process with two devices."""
    folder = tmp_path_factory.mktemp("one")
    log = folder / "log"
    assert start(folder / "one", log, 2).wait(timeout=240) == 0, log.read_text()
    return {name: (folder / "one" / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A workdir of two processes, ended by SIGTERM to the one that writes no tables."""
    folder = tmp_path_factory.mktemp("two")
    workdir, logs = folder / "workdir", [folder / "log0", folder / "log1"]
    processes = start_two(workdir, logs, *SLOW)
    wait_for_checkpoint(workdir, logs)
    processes[1].send_signal(signal.SIGTERM)
    assert wait(processes, logs) == [75, 75], logs[0].read_text()
    assert not (workdir / "seeds.csv").exists(), "it was stopped before the end"
    return workdir


def test_each_process_saves_its_own_rows(stopped):
    newest = max(checkpoint_steps(stopped / "S3_mlp"))
    path = stopped / "S3_mlp" / "checkpoints" / str(newest)
    written = {
        part: sum(file.stat().st_size for file in path.rglob(f"{part}/d/*"))
        for part in ("ocdbt.process_0", "ocdbt.process_1")
    }
    # Of the four rows each has two, the first also metrics.
    assert written["ocdbt.process_0"] > written["ocdbt.process_1"] > 20_000

    checkpoints = Checkpoints(path.parent, read_only=True)
    tree = {"state": build_ensemble([read_cell(stopped / "S3_mlp")]).abstract()}
    as_state = checkpoints.restore(newest, tree)["state"]
    as_dicts = checkpoints.restore(newest, {"state": None})["state"]
    checkpoints.close()
    chex.assert_tree_shape_prefix((as_state, as_dicts), (3,))
    chex.assert_trees_all_equal(as_state.params, as_dicts["params"])


def test_two_processes_give_the_bytes_of_one(stopped, of_one_process, tmp_path):
    workdir, logs = tmp_path / "two", [tmp_path / "log0", tmp_path / "log1"]
    shutil.copytree(stopped, workdir)
    assert wait(start_two(workdir, logs), logs) == [0, 0], logs[0].read_text()
    assert "resumed at step" in logs[0].read_text()
    for name, content in of_one_process.items():
        assert (workdir / name).read_bytes() == content, name


def test_one_process_goes_on_with_what_two_saved(stopped, of_one_process, tmp_path):
    workdir, log = tmp_path / "one", tmp_path / "log"
    shutil.copytree(stopped, workdir)
    assert start(workdir, log, 2).wait(timeout=240) == 0, log.read_text()
    assert "resumed at step" in log.read_text()
    for name, content in of_one_process.items():
        assert (workdir / name).read_bytes() == content, name


def test_what_stops_the_first_process_stops_both(tmp_path):
    """Here the lock of another process, which the first alone asks for."""
    workdir, logs = tmp_path / "two", [tmp_path / "log0", tmp_path / "log1"]
    (workdir / "S3_mlp").mkdir(parents=True)
    with locked(workdir / "S3_mlp"):
        begin = time.monotonic()
        assert wait(start_two(workdir, logs), logs) == [2, 75]
    assert time.monotonic() - begin < 120, "neither waited for the other"
    assert "is in use by" in logs[0].read_text()
    assert "the first process could not go on" in logs[1].read_text()
