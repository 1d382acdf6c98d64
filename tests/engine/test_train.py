import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from rich.console import Console

from repjax.engine.ensemble import Ensemble
from repjax.engine.progress import PlainProgress, Progress, run_lines
from repjax.engine.saved import reevaluate
from repjax.engine.schedule import evaluation_steps
from repjax.engine.train import Stopped, claim_directories, train_sweep
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.settings.rules import ConfigError
from repjax.storage.checkpoint import Checkpoints
from repjax.storage.rounds import round_of
from tests.tiny import tiny_cell, train_cell

ROOT = Path(__file__).parents[2]


class CutOff(Exception):
    """The process dies."""


class Watcher(Progress):
    """Calls `act` when it is told the `after`-th time; notes steps and evaluations."""

    def __init__(self, after=None, act=None):
        self.after, self.act, self.told = after, act, 0
        self.steps, self.measured = [], []

    def start(self, cell_name, num_runs, num_steps, step):
        self.steps.append(step)

    def update(self, step, train_loss):
        self.steps.append(step)
        self.count()

    def measure(self, metrics):
        self.measured.append(self.steps[-1])
        self.count()

    def count(self):
        self.told += 1
        if self.told == self.after:
            self.act()


def final_weights(cell, workdir):
    ensemble = Ensemble([cell])
    checkpoints = Checkpoints(workdir / cell.name / "checkpoints")
    tree = {"state": ensemble.abstract(), "metrics": None}
    restored = checkpoints.restore(cell.num_steps, tree)
    checkpoints.close()
    return restored


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed")
    cell = tiny_cell(checkpoint__every_seconds=0.0)
    return train_cell(cell, workdir, Progress()), final_weights(cell, workdir)


def test_first_and_last_step_are_evaluated():
    for num_steps, num_evaluations in [(1, 2), (40, 6), (250_000, 100), (7, 1000)]:
        steps = evaluation_steps(num_steps, num_evaluations)
        assert steps[0] == 0 and steps[-1] == num_steps
        assert np.all(np.diff(steps) > 0)
        assert len(steps) <= num_evaluations
    assert list(evaluation_steps(7, 1000)) == list(range(8))


def test_every_metric_is_measured_at_every_evaluation(undisturbed):
    results, _ = undisturbed
    assert set(results.metrics) == {*SCALARS, *EXPLAINED, *COUNTS, *PER_IRREP}
    assert results.irreps == ("trivial", "sign", "standard")
    for name, values in results.metrics.items():
        assert values.shape[:2] == (3, len(results.steps)), name
        assert np.all(np.isfinite(values)), name


@pytest.mark.parametrize("after", [1, 3, 5, 9])
def test_a_run_cut_off_and_resumed_has_the_bits_of_one_that_was_not(
    undisturbed, tmp_path, after
):
    def die():
        raise CutOff

    cell = tiny_cell(checkpoint__every_seconds=0.0, max_chunk_seconds=1e-4)
    with pytest.raises(CutOff):
        train_cell(cell, tmp_path, Watcher(after, die))
    resumed = Watcher()
    results = train_cell(cell, tmp_path, resumed)
    assert after <= 3 or resumed.steps[0] > 0
    chex.assert_trees_all_equal(results.metrics, undisturbed[0].metrics)
    chex.assert_trees_all_equal(final_weights(cell, tmp_path), undisturbed[1])


def test_a_signal_saves_and_stops_and_the_next_call_goes_on(undisturbed, tmp_path):
    cell = tiny_cell(checkpoint__every_seconds=3600.0)
    watcher = Watcher(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="step"):
        list(train_sweep([cell], tmp_path, watcher))
    assert watcher.told == 3, "it is saved at once"
    resumed = Watcher()
    ((results,),) = train_sweep([cell], tmp_path, resumed)
    assert resumed.steps[0] > 0
    chex.assert_trees_all_equal(results.metrics, undisturbed[0].metrics)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("chunk", [1, 3, 5])
def test_an_evaluation_that_is_due_at_a_signal_is_made_by_the_next_call(
    undisturbed, tmp_path, monkeypatch, chunk
):
    train, watcher = Ensemble.train, Watcher()

    def train_and_signal(*arguments):
        if len(watcher.steps) == chunk:  # the first is where it starts
            os.kill(os.getpid(), signal.SIGTERM)
        return train(*arguments)

    cell = tiny_cell()
    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "train", train_and_signal)
        with pytest.raises(Stopped):
            list(train_sweep([cell], tmp_path, watcher))
    assert watcher.steps[-1] in evaluation_steps(40, 6), "one was due"
    assert watcher.measured[0] == 0 and watcher.measured[-1] < watcher.steps[-1]
    ((results,),) = train_sweep([cell], tmp_path, Progress())
    chex.assert_trees_all_equal(results.metrics, undisturbed[0].metrics)
    chex.assert_trees_all_equal(final_weights(cell, tmp_path), undisturbed[1])


def test_a_signal_in_the_last_chunk_finds_a_finished_cell(
    undisturbed, tmp_path, monkeypatch
):
    """A checkpoint of the last step counts as finished, so it holds all metrics."""
    train = Ensemble.train

    def train_and_signal(ensemble, state, num_steps):
        if int(state.step.max()) + num_steps == 40:
            os.kill(os.getpid(), signal.SIGTERM)
        return train(ensemble, state, num_steps)

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "train", train_and_signal)
        with pytest.raises(Stopped, match="stopped after"):
            list(train_sweep([tiny_cell()], tmp_path, Progress()))
    ((results,),) = train_sweep([tiny_cell()], tmp_path, Progress())
    chex.assert_trees_all_equal(results.metrics, undisturbed[0].metrics)


def test_step_0_is_not_measured_again(tmp_path, monkeypatch):
    cell = tiny_cell(num_steps=3)
    watcher = Watcher(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="step 0"):
        list(train_sweep([cell], tmp_path, watcher))
    measured, evaluate = [], Ensemble.evaluate

    def noted(ensemble, state):
        measured.append(int(state.step.max()))
        return evaluate(ensemble, state)

    monkeypatch.setattr(Ensemble, "evaluate", noted)
    resumed = Watcher()
    train_cell(cell, tmp_path, resumed)
    assert watcher.measured == [0] and measured[0] == 1
    assert resumed.measured[:2] == [0, 1], "what is known is told"


def test_other_devices_go_on(undisturbed, tmp_path, monkeypatch):
    cell = tiny_cell(checkpoint__every_seconds=0.0)
    devices = jax.devices()
    watcher = Watcher(4, lambda: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr("jax.devices", lambda: devices[:1])
    with pytest.raises(Stopped):
        list(train_sweep([cell], tmp_path, watcher))
    monkeypatch.setattr("jax.devices", lambda: devices[:2])
    train_cell(cell, tmp_path, Progress())
    moved = final_weights(cell, tmp_path)
    chex.assert_trees_all_close(moved, undisturbed[1], rtol=1e-4, atol=1e-5)


def test_a_finished_cell_is_read_back(undisturbed, tmp_path):
    cell = tiny_cell(num_steps=3)
    first = train_cell(cell, tmp_path, Progress())
    console = Console(file=StringIO(), width=200)
    again = train_cell(cell, tmp_path, PlainProgress(console))
    chex.assert_trees_all_equal(first.metrics, again.metrics)
    heading, *runs = console.file.getvalue().splitlines()
    assert heading == f"{cell.name}: already finished"
    assert runs == list(run_lines(first))


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    train_cell(tiny_cell(num_steps=2), tmp_path, Progress())
    other = tiny_cell(num_steps=2, optimizer__weight_decay=0.5)
    with pytest.raises(ConfigError, match=r"optimizer\.weight_decay: 0\.5 .* 1\.0"):
        train_cell(other, tmp_path, Progress())
    harmless = tiny_cell(num_steps=2, checkpoint__every_seconds=5.0)
    train_cell(harmless, tmp_path, Progress())


def test_results_are_found_again_from_the_checkpoint(tmp_path):
    cell = tiny_cell(num_steps=5)
    trained = train_cell(cell, tmp_path, Progress())
    (again,) = reevaluate(round_of(tmp_path / cell.name))
    chex.assert_trees_all_equal(trained.metrics, again.metrics)
    assert again.cell == trained.cell


def test_an_unfinished_cell_has_no_final_results(tmp_path):
    def die():
        raise CutOff

    cell = tiny_cell(checkpoint__every_seconds=0.0)
    with pytest.raises(CutOff):
        train_cell(cell, tmp_path, Watcher(3, die))
    assert reevaluate(round_of(tmp_path / cell.name)) is None


def test_kill_and_sigterm_of_the_real_program(tmp_path):
    """Kill -9, then SIGTERM (exit code 75): the end is that of a run never cut."""
    flags = [
        "--config=experiments/quickstart.py",
        "--config.groups=S3",
        "--config.num_steps=3000",
        "--config.num_seeds=2",
        "--config.mlp.hidden_dim=16",
    ]
    # A checkpoint after every millisecond of training: no machine is too fast for that.
    slow = ("--config.max_chunk_seconds=0.001", "--config.checkpoint.every_seconds=0")

    def start(name, *more):
        command = [sys.executable, "-m", "repjax.main", *flags, *more]
        command.append(f"--workdir={tmp_path / name}")
        with (tmp_path / f"{name}.log").open("a") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def wait_for_checkpoint(name, beyond):
        folder = tmp_path / name / "S3_mlp" / "checkpoints"
        for _ in range(1200):
            steps = [int(p.name) for p in folder.glob("*") if p.name.isdigit()]
            if steps and max(steps) > beyond:
                return max(steps)
            time.sleep(0.05)
        raise AssertionError((tmp_path / f"{name}.log").read_text())

    undisturbed = start("undisturbed")
    process = start("cut", *slow)
    step = wait_for_checkpoint("cut", 0)
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    process = start("cut", *slow)
    wait_for_checkpoint("cut", step + 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75, (tmp_path / "cut.log").read_text()
    assert start("cut").wait(timeout=240) == 0, (tmp_path / "cut.log").read_text()
    assert undisturbed.wait(timeout=240) == 0
    for name in ("seeds.csv", "table3.csv", "table3.md", "table3.tex"):
        one, other = (tmp_path / run / name for run in ("undisturbed", "cut"))
        assert one.read_bytes() == other.read_bytes()


def test_a_restart_after_a_finished_round_gives_the_same_bits(tmp_path):
    """C24 pads the irreps of S4 and D12 whether or not it is still to be trained."""

    class Dies(Progress):
        def finish(self, cells):
            raise CutOff

    sizes = {"mlp__embed_dim": 16, "mlp__hidden_dim": 16, "num_seeds": 2}
    cells = [
        tiny_cell(groups=(group,), num_steps=steps, **sizes)
        for group, steps in (("C24", 40), ("S4", 60), ("D12", 50))
    ]
    whole = [*train_sweep(cells, tmp_path / "whole", Progress())]
    cut = tmp_path / "cut"
    with pytest.raises(CutOff):
        list(train_sweep(cells, cut, Dies()))
    assert [path.parent.name for path in cut.glob("*/trajectory.npz")] == ["C24_mlp"]
    for (again,), (expected,) in zip(
        train_sweep(cells, cut, Progress()), whole, strict=True
    ):
        chex.assert_trees_all_equal(again.metrics, expected.metrics)


MORE = (
    "train the others with --config.first_seed=4 --config.num_seeds=2 in another "
    "--workdir: table3, report and dataset take several"
)


@pytest.mark.parametrize(
    ("changes", "way_out"),
    [
        ({"num_seeds": 5}, MORE),
        ({"num_seeds": 5, "first_seed": 2}, "use another --workdir"),
        ({"num_seeds": 2}, "use another --workdir"),
        ({"num_seeds": 5, "num_steps": 41}, "use another --workdir"),
    ],
)
def test_more_seeds_than_were_begun_go_to_another_workdir(tmp_path, changes, way_out):
    """The line has the flags that train the others."""
    first = tiny_cell()
    claim_directories([first], tmp_path)
    with pytest.raises(ConfigError) as error:
        claim_directories([tiny_cell(**changes)], tmp_path)
    differing, _, rest = str(error.value).partition(", with which ")
    assert rest == f"{tmp_path / first.name} was begun; {way_out}"
    assert differing.endswith("differs from [1, 2, 3]")


def test_more_imported_runs_are_not_to_be_trained(tmp_path):
    claim_directories([tiny_cell()], tmp_path, imported=True)
    with pytest.raises(ConfigError, match=r"was begun; use another --workdir$"):
        claim_directories([tiny_cell(num_seeds=5)], tmp_path, imported=True)
