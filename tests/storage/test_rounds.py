"""Cells that train together: one checkpoint, and each cell's own numbers."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import chex
import jax
import numpy as np
import pytest

from repjax.dissection import FinishedCell, Networks
from repjax.engine.ensemble import Ensemble
from repjax.engine.progress import Progress
from repjax.engine.saved import latest_step, read_state, runs_of_cell
from repjax.engine.train import train_sweep
from repjax.export import read_checkpoint
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.results import CellResults
from repjax.storage.rounds import Round, form_rounds, group, round_of, same_settings
from repjax.storage.snapshots import snapshot_steps
from repjax.table3 import final_results
from tests.compilation import count_traces
from tests.engine.test_train import CutOff, Watcher
from tests.tiny import tiny_cell


def cells(**changes):
    """Two groups of order 6, two weight decays, other splits and numbers of seeds."""
    return [
        tiny_cell(num_seeds=2, **changes),
        tiny_cell(groups=("C6",), num_seeds=3, train_fraction=0.9, **changes),
        replace(
            tiny_cell(num_seeds=1, optimizer__weight_decay=0.1, **changes),
            swept=("optimizer.weight_decay",),
        ),
    ]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("together")
    (results,) = train_sweep(cells(), workdir, Progress())
    return workdir, results


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Results and last weights of each cell trained alone."""
    found = []
    for cell in cells():
        workdir = tmp_path_factory.mktemp("alone")
        ((results,),) = train_sweep([cell], workdir, Progress())
        past = round_of(workdir / cell.name)
        assert past.directory == workdir / cell.name
        found.append((results, runs_of_cell(past, cell, read_state(past, 40))))
    return found


def weights_of(workdir, cell):
    past = round_of(workdir / cell.name)
    return runs_of_cell(past, cell, read_state(past, past.num_steps))


def test_there_is_one_checkpoint_and_each_cell_has_its_files(together):
    workdir, _ = together
    assert not list(workdir.glob("*/checkpoints"))
    assert len(list(workdir.glob("programs/*/checkpoints"))) == 1
    for cell in cells():
        folder = workdir / cell.name
        assert {path.name for path in folder.iterdir()} == {
            "config.json",
            "trajectory.npz",
        }


def test_each_cell_has_what_it_has_alone(together, alone):
    workdir, results = together
    for mine, (own, state) in zip(results, alone, strict=True):
        assert mine.cell == own.cell and mine.irreps == own.irreps
        chex.assert_trees_all_equal(weights_of(workdir, mine.cell), state)
        for name, values in own.metrics.items():
            np.testing.assert_allclose(
                mine.metrics[name], values, rtol=1e-5, atol=1e-6, err_msg=name
            )
        chex.assert_trees_all_equal(
            CellResults.load(workdir / mine.cell.name).metrics, mine.metrics
        )


@pytest.mark.parametrize("after", [4, 9])
def test_a_round_cut_off_goes_on(together, tmp_path, after):
    def die():
        raise CutOff

    asked = cells(checkpoint__every_seconds=0.0, max_chunk_seconds=1e-4)
    with pytest.raises(CutOff):
        list(train_sweep(asked, tmp_path, Watcher(after, die)))
    resumed = Watcher()
    (results,) = train_sweep(asked, tmp_path, resumed)
    assert resumed.steps[0] > 0
    for mine, whole in zip(results, together[1], strict=True):
        chex.assert_trees_all_equal(mine.metrics, whole.metrics)
        chex.assert_trees_all_equal(
            weights_of(tmp_path, mine.cell), weights_of(together[0], mine.cell)
        )


def test_who_asks_for_some_of_a_begun_round_or_for_more_gets_all(together, tmp_path):
    def die():
        raise CutOff

    asked = cells(checkpoint__every_seconds=0.0, max_chunk_seconds=1e-4)
    with pytest.raises(CutOff):
        list(train_sweep(asked, tmp_path, Watcher(6, die)))
    begun = latest_step(round_of(tmp_path / asked[0].name))
    assert 0 < begun < 40
    more = tiny_cell(groups=("C6",), task="a*b^-1", num_seeds=1)
    more = replace(more, swept=("task",))
    watcher = Watcher()
    first, second = train_sweep([asked[1], more], tmp_path, watcher)
    assert [each.cell.name for each in first] == [cell.name for cell in asked]
    assert [each.cell.name for each in second] == [more.name]
    assert watcher.steps[0] >= begun
    for mine, whole in zip(first, together[1], strict=True):
        chex.assert_trees_all_equal(mine.metrics, whole.metrics)


def test_a_lost_trajectory_comes_back_from_the_checkpoint(together, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(together[0], workdir)
    (workdir / "C6_mlp" / "trajectory.npz").unlink()
    watcher = Watcher()
    finished, _ = train_sweep(cells(), workdir, watcher)
    assert len(finished) == 2 and watcher.steps == [40]
    chex.assert_trees_all_equal(
        CellResults.load(workdir / "C6_mlp").metrics, together[1][1].metrics
    )


def test_tables_export_and_report_find_each_cell(together, alone, monkeypatch):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
    workdir, results = together
    folders = sorted(workdir / cell.name for cell in cells())
    for mine in final_results(folders):
        own = next(each for each in results if each.cell.name == mine.cell.name)
        for name, values in own.metrics.items():
            np.testing.assert_array_equal(mine.metrics[name], values, err_msg=name)
    _, state = alone[1]
    run = read_checkpoint(workdir, "C6_mlp/3")
    assert run.step == 40
    np.testing.assert_array_equal(run.train_pairs, state.train_pairs[2])
    chex.assert_trees_all_equal(run.params, jax.tree.map(lambda x: x[2], state.params))
    finished = FinishedCell(workdir / "C6_mlp")
    assert finished.has_networks
    assert finished.anatomy(2).characters.shape == (4, 6)


def test_other_steps_are_another_round(tmp_path):
    few = replace(tiny_cell(num_steps=5), swept=("num_steps",))
    many = replace(tiny_cell(num_steps=9), swept=("num_steps",))
    assert [len(members) for members in group([few, many])] == [1, 1]
    assert [past.directory.name for past in form_rounds([few, many], tmp_path)] == [
        "S3_mlp_num_steps=5",
        "S3_mlp_num_steps=9",
    ]


def test_only_harmless_settings_may_differ():
    cell = tiny_cell()
    assert same_settings(cell, tiny_cell(max_chunk_seconds=3.0))
    assert not same_settings(cell, tiny_cell(optimizer__weight_decay=0.1))


@pytest.mark.parametrize("content", ["[{}]", "{", "3"])
def test_a_damaged_record_is_named(together, tmp_path, content):
    workdir = tmp_path / "copy"
    shutil.copytree(together[0], workdir)
    (record,) = workdir.glob("programs/*/cells.json")
    assert len(json.loads(record.read_text())) == 3
    record.write_text(content)
    (workdir / "C6_mlp" / "trajectory.npz").unlink()
    with pytest.raises(ConfigError, match=r"cells\.json: not a readable list"):
        list(train_sweep(cells(), workdir, Progress()))


@pytest.fixture(scope="module")
def with_snapshots(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("snapshots")
    (results,) = train_sweep(cells(checkpoint__snapshots=True), workdir, Progress())
    return workdir, results


def test_snapshots_are_the_networks_at_every_evaluation(with_snapshots, together):
    """The first is the start, the last the checkpoint, and none changes a number."""
    workdir, results = with_snapshots
    cell = results[1].cell
    past = round_of(workdir / cell.name)
    steps = results[1].steps.tolist()
    assert snapshot_steps(past) == steps and len(steps) > 3
    ensemble = Ensemble([cell])
    state = ensemble.init()
    for before, step in pairwise([0, *steps]):
        state, _ = ensemble.train(state, step - before)
        run = read_checkpoint(workdir, f"{cell.name}/2", step)
        assert run.step == step
        chex.assert_trees_all_equal(
            run.params, jax.tree.map(lambda x: x[1], ensemble.fetch(state).params)
        )
    for mine, other in zip(results, together[1], strict=True):
        chex.assert_trees_all_equal(mine.metrics, other.metrics)


def test_a_report_takes_networks_apart_at_a_snapshot(with_snapshots):
    workdir, _ = with_snapshots
    start, end = (FinishedCell(workdir / "C6_mlp", step) for step in (0, 40))
    losses = [float(cell.anatomy(0).loss) for cell in (start, end)]
    assert losses[0] > losses[1]
    assert losses[1] == float(FinishedCell(workdir / "C6_mlp").anatomy(0).loss)


def test_a_step_without_a_snapshot_is_refused(with_snapshots, together):
    with pytest.raises(ConfigError, match=r"--step: 2 .* use one of 0, 1, .*40"):
        read_checkpoint(with_snapshots[0], "C6_mlp/1", 2)
    with pytest.raises(ConfigError, match=r"use one of 40, or train with .*snapshots"):
        read_checkpoint(together[0], "C6_mlp/1", 0)


def test_older_files_have_no_snapshots():
    values = tiny_cell().to_json()
    del values["checkpoint"]["snapshots"]
    assert CellConfig.from_json(values) == tiny_cell()


def test_another_number_of_steps_or_evaluations_compiles_nothing_more(
    tmp_path, monkeypatch
):
    """Three rounds of one program, with other numbers of runs, groups and pairs."""
    one = tiny_cell(num_seeds=2)
    longer = replace(one, num_steps=60, swept=("num_steps",))
    often = replace(
        tiny_cell(groups=("C6",), num_seeds=5, train_fraction=0.9),
        evaluation=replace(one.evaluation, num_evaluations=9),
    )
    traces = count_traces(monkeypatch)
    list(train_sweep([one], tmp_path / "one", Progress()))
    alone = dict(traces)
    traces.clear()
    list(train_sweep([one, longer, often], tmp_path / "three", Progress()))
    assert traces == alone


def test_a_cell_is_found_in_the_round_that_has_its_settings(tmp_path):
    """Rounds of other settings may name it as well, whichever name comes last."""
    wanted = cells()
    others = [
        replace(cell, optimizer=replace(cell.optimizer, weight_decay=7.0))
        for cell in wanted
    ]
    for folder, members in (("a", others), ("b", wanted), ("c", others)):
        directory = tmp_path / "programs" / folder
        directory.mkdir(parents=True)
        Round(tuple(members), directory).write_record()
    (found,) = form_rounds(wanted[:1], tmp_path)
    assert found.directory.name == "b" and len(found.cells) == 3


def test_a_report_reads_the_checkpoint_of_a_round_once(together, monkeypatch):
    workdir, _ = together
    read = []

    def counted(past):
        read.append(past.directory)
        return latest_step(past)

    monkeypatch.setattr("repjax.dissection.latest_step", counted)
    networks = Networks()
    for cell in cells():
        FinishedCell(workdir / cell.name, networks=networks)
    assert len(read) == 1
