"""What a machine can do to a sweep: nothing that was saved is lost."""

import csv
import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import pytest

from repjax import main, table3
from repjax.engine.progress import Progress
from repjax.storage.lock import locked
from repjax.storage.results import CellResults
from tests.faults.program import (
    ROOT,
    Sweep,
    checkpoint_steps,
    outcome,
    starts,
    wait_until,
)
from tests.programs import call

CELL = "S3_mlp"


def tiny(folder: Path, **changes) -> Sweep:
    settings = {"groups": "S3", "architectures": "mlp", "num_steps": 40}
    settings |= {"num_evaluations": 6, "every_seconds": 0.0}
    return Sweep(folder, **(settings | changes))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Digests of the end of a tiny sweep."""
    sweep = tiny(tmp_path_factory.mktemp("undisturbed"))
    assert call(main, *sweep.flags("quiet")) == 0
    return outcome(sweep.workdir("quiet"))


class Disturber(Progress):
    """Calls `act` once: when it is told the `after`-th time, or a cell is done."""

    def __init__(self, act, after=None):
        self.act, self.after, self.told = act, after, 0

    def update(self, step, train_loss):
        self.count()

    def measure(self, metrics):
        self.count()

    def count(self):
        self.told += 1
        if self.told == self.after:
            self.act()

    def finish(self, cells):
        if self.after is None:
            self.act()


def disturb(sweep: Sweep, name: str, progress: Progress) -> int:
    """The exit code of a sweep that `progress` disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repjax.engine.progress.build_progress", lambda: progress)
        return call(main, *sweep.flags(name))


def one_line(capsys) -> str:
    err = capsys.readouterr().err
    assert err.startswith("repjax: ") and err.count("\n") == 1, err
    return err


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB in memory; only root may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]
    if (
        not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("may not mount a tmpfs here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("after", [2, 4, 6, None], ids=str)
def test_full_disk(small_disk, undisturbed, capsys, after):
    """In a save, in the last one, and in the writing of tables."""
    filler = small_disk / "filler"

    def fill():
        with filler.open("wb", buffering=0) as file:
            for size in (2**16, 2**8, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    sweep = tiny(small_disk)
    assert disturb(sweep, "full", Disturber(fill, after)) == 2
    assert "No space left on device; what was saved before is whole" in one_line(capsys)
    steps = checkpoint_steps(sweep.workdir("full") / CELL)
    assert steps, "an earlier checkpoint is whole"
    filler.unlink()
    assert call(main, *sweep.flags("full")) == 0
    assert outcome(sweep.workdir("full")) == undisturbed


@pytest.fixture
def forbid():
    """Takes the permission to write in a folder away, from root too; gives it back."""
    forbidden = []

    def set_permission(directory, allowed):
        command = ["chattr", "-i" if allowed else "+i"]
        if os.geteuid():
            command = ["chmod", "u+w" if allowed else "u-w"]
        elif not shutil.which("chattr"):
            pytest.skip("root may write everywhere, and there is no chattr")
        done = subprocess.run([*command, directory], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("root may write everywhere, and chattr does not work here")

    def forbid(directory):
        set_permission(directory, False)
        forbidden.append(directory)

    def allow():
        while forbidden:
            set_permission(forbidden.pop(), True)

    forbid.undo = allow
    yield forbid
    allow()


@pytest.mark.parametrize("place", [f"{CELL}/checkpoints", CELL, ""])
def test_permission_lost(tmp_path, undisturbed, forbid, capsys, place):
    """To write checkpoints, the trajectory, tables."""
    sweep = tiny(tmp_path)
    directory = sweep.workdir("locked") / place
    disturber = Disturber(lambda: forbid(directory), after=4)
    assert disturb(sweep, "locked", disturber) == 2
    line = one_line(capsys)
    assert "Operation not permitted" in line or "Permission denied" in line
    assert str(directory) in line
    assert checkpoint_steps(sweep.workdir("locked") / CELL)
    forbid.undo()
    assert call(main, *sweep.flags("locked")) == 0
    assert outcome(sweep.workdir("locked")) == undisturbed


def test_workdir_removed(tmp_path, capsys):
    sweep = tiny(tmp_path)
    disturber = Disturber(lambda: shutil.rmtree(sweep.workdir("gone")), after=4)
    assert disturb(sweep, "gone", disturber) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_second_process_on_a_cell(tmp_path, capsys):
    """It is refused in one line; when the first is killed, a third goes on."""
    sweep = tiny(tmp_path, num_steps=10**6, every_seconds=0.5)
    log = tmp_path / "log"
    first = sweep.start("shared", log)
    saved = sweep.workdir("shared") / CELL
    try:
        assert wait_until(lambda: any(checkpoint_steps(saved)), first), log.read_text()
        assert call(main, *sweep.flags("shared")) == 2
        line = one_line(capsys)
        assert f"{saved} is in use by process {first.pid} on " in line
        assert first.poll() is None, "the first is not disturbed"
    finally:
        first.kill()
        first.wait()
    before = checkpoint_steps(saved)[-1]
    third = sweep.start("shared", log)
    try:
        assert wait_until(lambda: any(starts(log.read_text())), third), log.read_text()
        ((_, step),) = starts(log.read_text())
    finally:
        third.kill()
        third.wait()
    assert step == before > 0


def test_a_disk_without_locks_is_told_and_used(tmp_path, capsys, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    sweep = tiny(tmp_path)
    assert call(main, *sweep.flags("w")) == 0
    line = one_line(capsys)
    assert f"no locks on {sweep.workdir('w') / CELL} (No locks available)" in line


def test_lock_in_this_process(tmp_path, capsys):
    sweep = tiny(tmp_path)
    (sweep.workdir("shared") / CELL).mkdir(parents=True)
    with locked(sweep.workdir("shared") / CELL):
        assert call(main, *sweep.flags("shared")) == 2
        assert f"{CELL} is in use by process {os.getpid()} on " in one_line(capsys)
    assert call(main, *sweep.flags("shared")) == 0


def test_other_settings_are_refused_with_all_that_differ(tmp_path, capsys):
    sweep = tiny(tmp_path)
    assert call(main, *sweep.flags("mine")) == 0
    before = outcome(sweep.workdir("mine"))
    capsys.readouterr()
    other = ["--config.num_steps=41", "--config.optimizer.eps=1e-9"]
    assert call(main, *sweep.flags("mine"), *other) == 2
    line = one_line(capsys)
    assert "num_steps: 41 differs from 40, optimizer.eps: 1e-09 differs from" in line
    assert outcome(sweep.workdir("mine")) == before


def inside_an_array(path: Path) -> int:
    """Offset of a byte that counts: some in the headers of a zip file do not."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.compress_size)
    return largest.header_offset + 60 + largest.compress_size // 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_results_are_made_anew(tmp_path, undisturbed, capsys, damage):
    sweep = tiny(tmp_path)
    assert call(main, *sweep.flags("damaged")) == 0
    path = sweep.workdir("damaged") / CELL / "trajectory.npz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[inside_an_array(path)] ^= 4
    path.write_bytes({"flip": flipped, "cut": whole[:99], "empty": b""}[damage])
    capsys.readouterr()
    assert call(main, *sweep.flags("damaged")) == 0
    assert f"{path}: not a readable trajectory" in one_line(capsys)
    assert outcome(sweep.workdir("damaged")) == undisturbed
    again = CellResults.load(path.parent)
    assert again.steps[-1] == 40


def test_damaged_last_checkpoint_is_told_by_table3(tmp_path, capsys):
    sweep = tiny(tmp_path)
    assert call(main, *sweep.flags("damaged")) == 0
    workdir = sweep.workdir("damaged")
    checkpoint = workdir / CELL / "checkpoints" / "40"
    file = max(checkpoint.rglob("*"), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])
    capsys.readouterr()
    assert call(table3, f"--workdir={workdir}") == 2
    not_used, what_to_do, none = capsys.readouterr().err.splitlines()
    assert f"{checkpoint} is not used" in not_used
    assert "remove its trajectory.npz and call repjax.main" in what_to_do
    assert "no cell in" in none
    (workdir / CELL / "trajectory.npz").unlink()
    assert call(main, *sweep.flags("damaged")) == 0
    assert call(table3, f"--workdir={workdir}") == 0


def rows(workdir: Path) -> list[dict[str, str]]:
    return [*csv.DictReader((workdir / "seeds.csv").read_text().splitlines())]


def test_a_cell_that_diverges_disturbs_no_other(tmp_path):
    sweep = tiny(tmp_path, num_steps=60)
    rates = "--config.sweep=('optimizer.learning_rate',({},))"
    assert call(main, *sweep.flags("both"), rates.format("0.001,1e38")) == 0
    assert call(main, *sweep.flags("alone"), rates.format("0.001")) == 0
    both, alone = (sweep.workdir(name) for name in ("both", "alone"))
    steps = {row["optimizer.learning_rate"]: set() for row in rows(both)}
    for row in rows(both):
        steps[row["optimizer.learning_rate"]].add(int(row["steps"]))
    assert steps.pop("0.001") == {60}
    (few,) = steps.values()
    assert max(few) < 60
    note = "MLP: 3 of 3 runs diverged and are left out."
    assert note in (both / "table3.md").read_text()
    assert "diverged" not in (alone / "table3.md").read_text()
    cell = f"{CELL}_learning_rate=0.001"
    assert outcome(both)[cell] == outcome(alone)[cell]
    assert [row for row in rows(both) if row["steps"] == "60"] == rows(alone)


@pytest.mark.parametrize("devices", [1, 8])
def test_other_devices_go_on(tmp_path, monkeypatch, devices):
    """Begun on four; the numbers are those of four up to rounding."""
    sweep = tiny(tmp_path, every_seconds=3600.0)
    all_devices = jax.devices()

    def use(count):
        monkeypatch.setattr("jax.devices", lambda: all_devices[:count])

    use(4)
    assert call(main, *sweep.flags("four")) == 0
    disturber = Disturber(lambda: os.kill(os.getpid(), signal.SIGTERM), after=5)
    assert disturb(sweep, "moved", disturber) == 75
    use(devices)
    assert call(main, *sweep.flags("moved")) == 0
    four, moved = rows(sweep.workdir("four")), rows(sweep.workdir("moved"))
    assert len(moved) == len(four) == 3
    for one, other in zip(four, moved, strict=True):
        assert one["key_irreps"] == other["key_irreps"]
        for name in [*one][5:]:
            assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-3)
    manifest = json.loads((sweep.workdir("moved") / "manifest.json").read_text())
    assert len(manifest["devices"]) == devices
    assert len(manifest["earlier"][0]["devices"]) == 4


def test_every_checkpoint_damaged_starts_anew_and_says_so(
    undisturbed, tmp_path, capsys
):
    sweep = tiny(tmp_path)
    stop = Disturber(lambda: os.kill(os.getpid(), signal.SIGTERM), after=7)
    assert disturb(sweep, "damaged", stop) == 75
    directory = sweep.workdir("damaged") / CELL
    steps = checkpoint_steps(directory)
    assert len(steps) == 2
    for step in steps:
        folder = directory / "checkpoints" / str(step)
        file = max(folder.rglob("*"), key=lambda path: path.stat().st_size)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    capsys.readouterr()
    assert call(main, *sweep.flags("damaged")) == 0
    out, err = capsys.readouterr()
    *named, last = err.splitlines()
    assert len(named) == 2 and all(" is not used: " in line for line in named)
    assert last.startswith("repjax: no usable checkpoint is left in ")
    assert last.endswith(": training starts at step 0")
    assert "resumed" not in out
    assert outcome(sweep.workdir("damaged")) == undisturbed


def test_each_state_is_printed_once(tmp_path, capsys):
    assert call(main, *tiny(tmp_path).flags("quiet")) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "  step " in line]
    places = [line.partition("  time left")[0] for line in lines]
    assert len({*places}) == len(places) and "100.0%  step 40/40" in places[-1]
    assert "test loss" in lines[-1], "what is printed last is the last measurement"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_end_no_training(undisturbed, tmp_path, closed):
    sweep = tiny(tmp_path)
    flags = shlex.join([sys.executable, "-m", "repjax.main", *sweep.flags("quiet")])
    done = subprocess.run(f"exec {flags} {closed}", shell=True, check=False, cwd=ROOT)
    assert done.returncode == 0
    assert {CELL, "seeds.csv"} <= {
        path.name for path in sweep.workdir("quiet").iterdir()
    }


@pytest.mark.parametrize("after", [2, 5, 9])
def test_a_round_of_several_cells_goes_on_after_a_signal(tmp_path, after):
    """Two weight decays in one checkpoint: tables and weights are as undisturbed."""
    sweep = tiny(tmp_path)
    decays = "--config.sweep=('optimizer.weight_decay',(0.5,1.0))"
    assert call(main, *sweep.flags("quiet"), decays) == 0
    stop = Disturber(lambda: os.kill(os.getpid(), signal.SIGTERM), after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repjax.engine.progress.build_progress", lambda: stop)
        assert call(main, *sweep.flags("stopped"), decays) == 75
    assert call(main, *sweep.flags("stopped"), decays) == 0
    stopped = sweep.workdir("stopped")
    assert len(list(stopped.glob("programs/*/checkpoints"))) == 1
    assert outcome(stopped) == outcome(sweep.workdir("quiet"))


def test_two_processes_do_not_train_one_round(tmp_path, capsys):
    sweep = tiny(tmp_path)
    decays = "--config.sweep=('optimizer.weight_decay',(0.5,1.0))"
    stop = Disturber(lambda: os.kill(os.getpid(), signal.SIGTERM), 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repjax.engine.progress.build_progress", lambda: stop)
        assert call(main, *sweep.flags("shared"), decays) == 75
    (folder,) = sweep.workdir("shared").glob("programs/*")
    capsys.readouterr()
    with locked(folder):
        assert call(main, *sweep.flags("shared"), decays) == 2
    assert f"{folder} is in use by process {os.getpid()}" in one_line(capsys)
    assert call(main, *sweep.flags("shared"), decays) == 0
