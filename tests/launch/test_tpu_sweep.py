"""tpu_sweep.sh: a VM for every shard, the finished ones left alone."""

import subprocess
import sys

import pytest

from tests.launch.stand_in import REPOSITORY, TINY, wait_until

pytestmark = pytest.mark.usefixtures("workers_can_run")

RUN = (
    "run",
    "--shards=2",
    "--name=sweep",
    "--zone=us-east5-b",
    "--poll=0.05",
    "--type=v6e-8",
    "--spot",
    "--config=experiments/table3.py",
    "--workdir=gs://bucket/table3",
)


def shards(stand_in) -> list[str]:
    return sorted(line.split()[-1] for line in stand_in.trained() if "main" in line)


def test_every_shard_has_a_vm_and_a_workdir(stand_in):
    code, out = stand_in.run("tpu_sweep.sh", *RUN)
    assert code == 0, out
    assert shards(stand_in) == ["--shard=0/2", "--shard=1/2"]
    (line,) = (line for line in stand_in.trained() if "--shard=1/2" in line)
    assert "--workdir=gs://bucket/table3/shard-1-of-2 " in line
    assert "--distributed" not in line
    names = {call[5] for call in stand_in.calls("create")}
    assert names == {"sweep-0", "sweep-1"}
    assert "[1/2] Table 3" in out
    assert len(stand_in.calls("delete")) == 2
    stand_in.forget_calls()
    assert stand_in.run("tpu_sweep.sh", *RUN)[0] == 0
    assert not stand_in.calls("create")


def test_a_preempted_shard_is_the_only_one_to_begin_again(stand_in):
    stand_in.ends("wait")  # whichever shard comes first
    first = stand_in.start("tpu_sweep.sh", *RUN)
    machines = stand_in.folder / "workers"
    wait_until(lambda: stand_in.calls("delete") and len([*machines.iterdir()]) == 1)
    (home,) = machines.iterdir()
    stand_in.preempt(home.name)
    out, _ = first.communicate(timeout=120)
    assert first.returncode == 75, out
    stand_in.forget_calls()
    assert stand_in.run("tpu_sweep.sh", *RUN)[0] == 0
    (create,) = stand_in.calls("create")
    assert create[5] == home.name
    assert len(shards(stand_in)) == 3
    assert len({*shards(stand_in)}) == 2


def test_at_once_is_kept_to(stand_in):
    code, out = stand_in.run("tpu_sweep.sh", *RUN, "--at_once=1")
    assert code == 0, out
    changes = [call[4] for call in stand_in.calls("queued-resources")]
    changes = [verb for verb in changes if verb != "list"]
    assert changes == ["create", "delete"] * 2


def test_a_failure_outweighs_a_preemption(stand_in):
    stand_in.ends("1", "75")
    code, out = stand_in.run("tpu_sweep.sh", *RUN, "--at_once=1")
    assert code == 1
    assert "shard 0/2: exit code 1" in out
    assert "shard 1/2: exit code 75" in out


def test_delete_all(stand_in):
    stand_in.run("tpu_sweep.sh", *RUN, "--keep")
    assert not stand_in.calls("delete")
    code, out = stand_in.run("tpu_sweep.sh", "delete", *RUN[1:5])
    assert code == 0, out
    assert not [*(stand_in.folder / "resources").iterdir()]


def test_repjax_itself_trains_on_the_workers_and_shards_become_one_table(stand_in):
    """The path from nothing to Table 3; only the machines are played."""
    stand_in.environment["TRAINER"] = sys.executable
    workdir = stand_in.folder / "results"
    run = (*RUN[1:6], f"--workdir={workdir}", *TINY)
    code, out = stand_in.run("tpu_sweep.sh", "run", *run)
    assert code == 0, out
    assert "S3" in out
    parts = [f"--workdir={workdir}/shard-{i}-of-2" for i in range(2)]
    command = [sys.executable, "-m", "repjax.table3", *parts, f"--out={workdir}"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    rows = (workdir / "seeds.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
