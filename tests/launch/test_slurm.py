"""slurm.sbatch submits itself; as a task it trains, stops in time and goes on later."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.stand_in import LAUNCH, REPOSITORY, TINY, StandIn, wait_until

SCRIPT = LAUNCH / "slurm.sbatch"
PYTHON = f"--python={sys.executable}"
LONG = (*TINY, "--config.num_steps=20000")
# A checkpoint after every millisecond of training: on no machine does it end in time.
SLOW = ("--config.max_chunk_seconds=0.001", "--config.checkpoint.every_seconds=0")


def directives() -> dict[str, str]:
    """What Slurm reads: #SBATCH lines before the first command."""
    head = re.split(r"^[^#\n]", SCRIPT.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", head, re.MULTILINE))


class Task:
    """An array task as Slurm runs it: a copy of the script, in the --chdir folder."""

    def __init__(self, stand_in: StandIn, index: int, *arguments: str):
        spool = stand_in.folder / "spool"
        spool.mkdir(exist_ok=True)
        copy = shutil.copy(SCRIPT, spool / "slurm_script")
        self.log = Path(stand_in.folder / f"4711_{index}.log")
        # The id of the last task is that of the array: a trap for those who requeue it.
        ids = {"SLURM_JOB_ID": "4711", "SLURM_ARRAY_JOB_ID": "4711"}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                ["bash", copy, *arguments],
                cwd=REPOSITORY,
                env=stand_in.environment | ids | {"SLURM_ARRAY_TASK_ID": str(index)},
                stdout=log,
                stderr=log,
            )

    def end(self) -> int:
        try:
            return self.process.wait(timeout=300)
        finally:
            self.process.kill()


def flags(stand_in: StandIn, *more: str) -> tuple[str, ...]:
    return (f"--workdir={stand_in.folder}/w", "--shards=2", PYTHON, *more)


def test_it_submits_itself(stand_in):
    folder = stand_in.folder
    of_tasks = ("--shards=8", "--cpus=3", "--at_once=4")
    arguments = ("--workdir=w", *of_tasks, PYTHON, *TINY)
    code, out = stand_in.run("slurm.sbatch", *arguments, cwd=folder)
    assert code == 0, out
    ((_, *call),) = stand_in.calls("sbatch")
    script = call.index(str(SCRIPT))
    options, passed_on = call[:script], call[script + 1 :]
    assert "--array=0-7%4" in options and "--cpus-per-task=3" in options
    assert f"--chdir={REPOSITORY}" in options
    assert f"--output={folder}/w/%A_%a.log" in options
    assert (folder / "w").is_dir()
    expected = [f"--workdir={folder}/w", "--shards=8", PYTHON, *TINY]
    assert sorted(passed_on) == sorted(expected)


def test_queued_is_not_submitted_again(stand_in):
    for _ in range(2):
        code, out = stand_in.run("slurm.sbatch", *flags(stand_in), *TINY)
        assert code == 0
    assert "queued or running as job 4711" in out
    assert len(stand_in.calls("sbatch")) == 1
    (stand_in.folder / "queue").unlink()  # it ended
    stand_in.run("slurm.sbatch", *flags(stand_in), *TINY)
    assert len(stand_in.calls("sbatch")) == 2


def test_slurm_is_asked_to_warn_and_to_requeue():
    found = directives()
    signal_name, seconds = re.fullmatch(r"B:(\w+)@(\d+)", found["signal"]).groups()
    assert signal_name == "USR1"  # to the script alone, which tells main
    assert int(seconds) > 2 * 60  # Slurm may be a minute early, a compilation take one
    assert found["requeue"] == ""
    assert found["open-mode"] == "append"  # a requeued task keeps its log


def test_time_limit_checkpoint_requeue_and_on_to_the_end(stand_in):
    """Real training, stopped in between, ends with the table of an undisturbed one."""
    number = getattr(signal, "SIG" + directives()["signal"][2:].partition("@")[0])
    arguments = flags(stand_in, *LONG)
    part = stand_in.folder / "w" / "shard-1-of-2"
    task = Task(stand_in, 1, *arguments, *SLOW)
    wait_until(lambda: [*part.glob("*/checkpoints/[1-9]*[0-9]")])
    task.process.send_signal(number)
    assert task.end() == 75, task.log.read_text()
    assert stand_in.calls("scontrol") == [["scontrol", "requeue", "4711_1"]]
    assert not (part / "seeds.csv").exists()
    task = Task(stand_in, 1, *arguments)
    assert task.end() == 0, task.log.read_text()
    assert len(stand_in.calls("scontrol")) == 1

    whole = stand_in.folder / "whole"
    command = [sys.executable, "-m", "repjax.main", *LONG, f"--workdir={whole}"]
    command.append("--shard=1/2")
    env = stand_in.environment
    subprocess.run(command, cwd=REPOSITORY, env=env, check=True, capture_output=True)
    assert (part / "seeds.csv").read_bytes() == (whole / "seeds.csv").read_bytes()


@pytest.fixture
def played(stand_in):
    """A task whose main is played, and waits for a signal."""
    stand_in.environment["HOME"] = str(stand_in.folder / "0")
    stand_in.ends("wait")
    played = f"--python={stand_in.environment['TRAINER']}"
    task = Task(stand_in, 1, *flags(stand_in, *TINY), played)
    wait_until(stand_in.trained)
    yield task
    task.process.kill()


def test_cancelled_is_not_requeued(stand_in, played):
    """Nor is preempted: Slurm does that itself."""
    played.process.send_signal(signal.SIGTERM)
    assert played.end() == 75
    assert not stand_in.calls("scontrol")
    assert stand_in.trained()[-1] == "0 saved"


def test_stopped_by_someone_else_is_requeued(stand_in):
    stand_in.environment["HOME"] = str(stand_in.folder / "0")
    stand_in.ends("75", "1")
    played = f"--python={stand_in.environment['TRAINER']}"
    arguments = flags(stand_in, *TINY, played)
    assert Task(stand_in, 0, *arguments).end() == 75
    assert stand_in.calls("scontrol") == [["scontrol", "requeue", "4711_0"]]
    assert Task(stand_in, 0, *arguments).end() == 1  # a failure is not
    assert len(stand_in.calls("scontrol")) == 1


def test_warned_before_main_can_save(stand_in):
    """Imports take seconds, in which SIGTERM just ends it."""
    task = Task(stand_in, 1, *flags(stand_in, *TINY), "--python=/bin/sleep-30")
    assert task.end() == 127
    sleeper = stand_in.folder / "sleeper"
    sleeper.write_text("#!/bin/sh\ntouch $STAND_IN/asleep\nexec sleep 60\n")
    sleeper.chmod(0o755)
    task = Task(stand_in, 1, *flags(stand_in, *TINY), f"--python={sleeper}")
    wait_until((stand_in.folder / "asleep").exists)
    task.process.send_signal(signal.SIGUSR1)
    assert task.end() == 143
    assert stand_in.calls("scontrol") == [["scontrol", "requeue", "4711_1"]]


def test_a_task_beyond_the_shards_is_bad_input(stand_in):
    task = Task(stand_in, 2, *flags(stand_in, *TINY))
    assert task.end() == 2
    assert "--shards: '2' is not allowed for array task 2" in task.log.read_text()


def test_submitted_in_the_wrong_way(stand_in):
    spool = stand_in.folder / "slurm_script"
    shutil.copy(SCRIPT, spool)
    done = subprocess.run(
        ["bash", spool, *flags(stand_in)],
        env=stand_in.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "without sbatch" in done.stderr
