"""tpu_vm.sh against a cloud of stand-ins; on the workers, worker.sh itself runs."""

import os
import signal
import subprocess

import pytest

from tests.launch.stand_in import REPOSITORY, wait_until

pytestmark = pytest.mark.usefixtures("workers_can_run")

WHERE = ("--name=pod", "--zone=us-central2-b", "--poll=0.05")
RUN = (
    "run",
    *WHERE,
    "--type=v4-16",
    "--spot",
    "--config=experiments/table3.py",
    "--config.num_seeds=64",
    "--workdir=gs://bucket/table3",
)
FLAGS = (
    "-m repjax.main --config=experiments/table3.py --config.num_seeds=64 "
    "--workdir=gs://bucket/table3 --distributed"
)


def verbs(stand_in) -> list[str]:
    """What was done to resources and workers, in order, looks left out."""
    changes = ("create", "delete", "scp")
    found = []
    for call in stand_in.calls("gcloud"):
        found += [word for word in call if word in changes]
        for word in call:
            if word.startswith("--command=bash worker.sh"):
                found.append(word.split()[2])
    return found


def test_from_nothing_to_the_end(stand_in):
    stand_in.write("num_workers", "2")
    code, out = stand_in.run("tpu_vm.sh", *RUN)
    assert code == 0, out
    assert verbs(stand_in) == ["create", "scp", "setup", "start", "follow", "delete"]
    (create,) = stand_in.calls("create")
    assert {
        "--node-id=pod",
        "--zone=us-central2-b",
        "--accelerator-type=v4-16",
        "--runtime-version=tpu-ubuntu2204-base",
        "--spot",
    } <= {*create}
    assert sorted(stand_in.trained()) == [f"0 {FLAGS}", f"1 {FLAGS}"]
    assert "Table 3 of worker 0" in out
    assert "WAITING_FOR_RESOURCES" in out
    assert not stand_in.home("pod").exists()


def test_when_all_is_done_nothing_is_created(stand_in):
    stand_in.run("tpu_vm.sh", *RUN)
    stand_in.forget_calls()
    code, out = stand_in.run("tpu_vm.sh", *RUN)
    assert code == 0
    assert "trained to the end" in out
    assert verbs(stand_in) == []
    assert len(stand_in.trained()) == 1


def test_other_settings_are_not_done(stand_in):
    stand_in.run("tpu_vm.sh", *RUN)
    stand_in.run("tpu_vm.sh", *RUN, "--config.first_seed=65")
    assert len(stand_in.trained()) == 2


def test_workers_get_this_commit_and_the_locked_versions(stand_in):
    stand_in.run("tpu_vm.sh", *RUN, "--keep")
    home = stand_in.home("pod")
    commits = [
        subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder in (REPOSITORY, home / "repjax")
    ]
    assert commits[0] == commits[1]
    installed = (home / "installed").read_text()
    assert "--require-hashes --requirement" in installed
    assert "/repjax[tpu,gcs]" in installed
    assert "--python 3.12" in installed
    stand_in.run("tpu_vm.sh", *RUN, "--keep", "--config.first_seed=65")
    assert (home / "installed").read_text() == installed  # once is enough
    code, out = stand_in.run("tpu_vm.sh", "logs", *WHERE)
    assert code == 0
    assert out.count("Table 3 of worker 0") == 2


@pytest.mark.parametrize("state", ["SUSPENDED", "ACTIVE/PREEMPTED", "SUSPENDING"])
def test_preempted_while_training_and_called_again(stand_in, state):
    stand_in.ends("wait")
    first = stand_in.start("tpu_vm.sh", *RUN)
    wait_until(stand_in.trained)
    stand_in.preempt("pod", state)
    out, _ = first.communicate(timeout=120)
    assert first.returncode == 75, out
    assert "call again" in out
    assert stand_in.trained()[-1] == "0 saved"
    if state == "SUSPENDING":  # goes over by itself
        states = stand_in.folder / "resources" / "pod" / "states"
        states.write_text("SUSPENDING\nSUSPENDING\nSUSPENDED")
    stand_in.forget_calls()
    code, out = stand_in.run("tpu_vm.sh", *RUN)
    assert code == 0, out
    assert verbs(stand_in) == [
        *("delete", "create", "scp", "setup", "start", "follow", "delete")
    ]
    assert stand_in.trained() == [f"0 {FLAGS}", "0 saved", f"0 {FLAGS}"]


def test_one_call_may_survive_preemptions(stand_in):
    stand_in.ends("wait", "wait", "0")
    run = stand_in.start("tpu_vm.sh", *RUN, "--tries=3")
    for count in (1, 3):
        wait_until(lambda count=count: len(stand_in.trained()) == count)
        stand_in.preempt("pod")
    out, _ = run.communicate(timeout=120)
    assert run.returncode == 0, out
    assert len(stand_in.calls("create")) == 3


def test_preempted_while_waiting(stand_in):
    stand_in.scenario("WAITING_FOR_RESOURCES", "SUSPENDED")
    code, out = stand_in.run("tpu_vm.sh", *RUN)
    assert (code, "call again" in out) == (75, True)


def test_lost_connection_does_not_stop_training(stand_in):
    stand_in.ends("wait")
    first = stand_in.start("tpu_vm.sh", *RUN)
    wait_until(stand_in.trained)
    wait_until(lambda: "follow" in verbs(stand_in))
    os.killpg(first.pid, signal.SIGKILL)  # the laptop is closed
    first.communicate()
    stand_in.forget_calls()
    second = stand_in.start("tpu_vm.sh", *RUN)
    wait_until(lambda: "follow" in verbs(stand_in))
    stand_in.write("go", "")
    out, _ = second.communicate(timeout=120)
    assert second.returncode == 0, out
    assert verbs(stand_in) == ["follow", "delete"]
    assert len(stand_in.trained()) == 1  # not begun twice


def test_who_ended_meanwhile_is_not_begun_again(stand_in):
    stand_in.run("tpu_vm.sh", *RUN, "--keep")
    (stand_in.folder / "bucket" / "bucket" / "table3" / "launched").unlink()
    stand_in.forget_calls()
    assert stand_in.run("tpu_vm.sh", *RUN)[0] == 0
    assert verbs(stand_in) == ["follow", "delete"]
    assert len(stand_in.trained()) == 1


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (("0", "2"), 2),
        (("0", "1"), 1),
        (("75", "134"), 75),  # one was stopped, so the others aborted
        (("134", "143"), 75),
        (("1", "134"), 1),
    ],
)
def test_exit_code_is_that_of_training_and_the_vm_is_kept(stand_in, ends, code):
    stand_in.write("num_workers", "2")
    for worker, end in enumerate(ends):
        stand_in.ends(end, worker=worker)
    found, out = stand_in.run("tpu_vm.sh", *RUN)
    assert found == code, out
    assert not stand_in.calls("delete")
    assert stand_in.run("tpu_vm.sh", *RUN)[0] == 0  # on the same VM
    assert len(stand_in.calls("create")) == 1
    assert len(stand_in.trained()) == 4


@pytest.mark.parametrize(
    ("number", "found"), [(signal.SIGTERM, "ended 75"), (signal.SIGKILL, "lost")]
)
def test_stopped_on_a_vm_that_stays(stand_in, number, found):
    """By a restart of the machine, with notice or without a trace."""
    stand_in.ends("wait")
    run = stand_in.start("tpu_vm.sh", *RUN)
    wait_until(stand_in.trained)
    stand_in.kill("pod", number)
    out, _ = run.communicate(timeout=120)
    assert (run.returncode, found in out) == (75, True), out


def test_a_vm_that_trains_something_else_is_left_alone(stand_in):
    stand_in.ends("wait")
    first = stand_in.start("tpu_vm.sh", *RUN)
    wait_until(stand_in.trained)
    code, out = stand_in.run("tpu_vm.sh", *RUN, "--config.first_seed=65")
    assert (code, "trains something else" in out) == (2, True)
    code, out = stand_in.run("tpu_vm.sh", "status", *WHERE)
    assert (code, "repjax-worker: running" in out) == (0, True)
    stand_in.write("go", "")
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert len(stand_in.trained()) == 1


def test_a_request_that_failed(stand_in):
    stand_in.scenario("WAITING_FOR_RESOURCES", "FAILED")
    code, out = stand_in.run("tpu_vm.sh", *RUN)
    assert (code, "the request failed" in out) == (1, True)
    stand_in.scenario("ACTIVE/READY")
    stand_in.forget_calls()
    assert stand_in.run("tpu_vm.sh", *RUN)[0] == 0  # replaced
    assert verbs(stand_in)[:2] == ["delete", "create"]


def test_trouble_with_gcloud_is_not_taken_for_an_absent_resource(stand_in):
    broken = stand_in.folder / "resources" / "pod"
    broken.mkdir(parents=True)
    (broken / "states").write_text("")
    code, _ = stand_in.run("tpu_vm.sh", *RUN)
    assert code == 1
    assert verbs(stand_in) == []


def test_delete(stand_in):
    code, out = stand_in.run("tpu_vm.sh", "delete", *WHERE)
    assert (code, "no such queued resource" in out) == (0, True)
    stand_in.run("tpu_vm.sh", *RUN, "--keep")
    assert stand_in.run("tpu_vm.sh", "delete", *WHERE)[0] == 0
    assert not stand_in.home("pod").exists()
