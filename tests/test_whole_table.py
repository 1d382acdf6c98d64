"""Training on the whole table: from the command line to every file and figure."""

import csv
import json

import chex
import jax
import numpy as np
import pytest

from repjax import export, main, table3
from repjax.dissection import FinishedCell
from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import build_ensemble
from repjax.engine.programs import Programs
from repjax.engine.progress import Progress
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS, TESTED
from repjax.report import __main__ as report_program
from repjax.rivals import when_memorised
from repjax.storage.results import CellResults
from tests.compilation import count_traces
from tests.conftest import REPOSITORY
from tests.engine.test_train import CutOff, Watcher, final_weights
from tests.programs import call
from tests.tiny import tiny_cell, train_cell

SWEEP = (
    f"--config={REPOSITORY}/experiments/quickstart.py",
    "--config.groups=S3",
    "--config.num_seeds=2",
    "--config.num_steps=400",
    "--config.mlp.embed_dim=16",
    "--config.mlp.hidden_dim=32",
    "--config.optimizer.learning_rate=0.003",
    "--config.evaluation.num_evaluations=8",
    "--config.sweep=(('train_fraction',(0.8,1)),)",
)
PART, WHOLE = "S3_mlp_train_fraction=0.8", "S3_mlp_train_fraction=1.0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep over a part of the table and all of it, in one round."""
    workdir = tmp_path_factory.mktemp("trained")
    assert call(main, *SWEEP, f"--workdir={workdir}") == 0
    return workdir


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_but_the_test_metrics_are_measured(trained):
    whole, part = (CellResults.load(trained / name) for name in (WHOLE, PART))
    assert set(whole.metrics) == {*SCALARS, *EXPLAINED, *COUNTS, *PER_IRREP}
    for name, values in whole.metrics.items():
        assert (np.isnan if name in TESTED else np.isfinite)(values).all(), name
    assert (whole.final("train_accuracy") == 1).all()
    assert whole.generalised.all() and not whole.diverged.any()
    assert all(np.isfinite(values).all() for values in part.metrics.values())


def test_test_columns_are_blank_in_tables(trained):
    rows = rows_of(trained / "seeds.csv")
    blank = {row["train_fraction"]: {k for k in row if not row[k]} for row in rows}
    assert blank == {"0.8": set(), "1.0": {*TESTED}}
    assert not any("nan" in row.values() for row in rows)
    part, whole = rows_of(trained / "table3.csv")
    assert part["mlp_test_loss"] and not whole["mlp_test_loss"]
    assert whole["mlp_generalised"] == whole["mlp_runs"] == "2"
    text = (trained / "table3.md").read_text(encoding="utf-8")
    assert "nan" not in text
    assert text.count("train on every pair") == 1
    assert "S3, train_fraction 1.0, MLP: runs train on every pair" in text


def test_tables_are_the_same_from_checkpoints(trained, tmp_path):
    assert call(table3, f"--workdir={trained}", f"--out={tmp_path}") == 0
    for name in ("seeds.csv", "table3.csv", "table3.md", "table3.tex"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_the_report_tells_of_both(trained, tmp_path):
    pytest.importorskip("matplotlib")
    assert call(report_program, f"--workdir={trained}", f"--out={tmp_path}") == 0
    text = (tmp_path / "analysis.json").read_text()
    runs = [run for run in json.loads(text)["runs"] if run["cell"] == WHOLE]
    assert len(runs) == 2
    for run in runs:
        assert run["generalised"] and not run["imported"]
        assert run["test_loss"] is run["test_accuracy"] is None
        assert run["loss"] == run["train_loss"]
        assert run["anatomy"]["loss"] == pytest.approx(run["loss"], rel=1e-4)
        assert run["generalised_step"] == run["memorised_step"] > 0
        assert set(run["phases"].values()) == {None}
        assert len(run["progress"]["steps"]) == len(run["progress"]["train_loss"]) == 8
        assert set(run["progress"]["test_loss"]) == {None}
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "2 runs, 2 of them generalised." in page


def test_what_is_blank_is_not_measured_again(trained, monkeypatch):
    def measure(*_):
        raise AssertionError

    monkeypatch.setattr(FinishedCell, "_measure", measure)
    cell = FinishedCell(trained / WHOLE)
    assert np.isnan(cell.results.metrics["test_loss"]).all()


def test_no_run_has_memorised_but_not_generalised(trained):
    found = when_memorised(FinishedCell(trained / WHOLE), None)
    assert np.isnan(found["fve_class"]).all()


def test_an_export_holds_every_pair(trained, tmp_path):
    file = tmp_path / "run.safetensors"
    flags = f"--workdir={trained}", f"--run={WHOLE}/2", f"--out={file}"
    assert call(export, *flags) == 0
    np.testing.assert_array_equal(export.load_export(file).train_pairs, np.arange(36))


def test_a_dry_run_tells_of_both(capsys):
    assert call(main, *SWEEP, "--dry_run") == 0
    said = capsys.readouterr().out
    assert "train fraction 0.8," in said and "train fraction 1," in said
    assert "2 cells, 4 runs" in said and "1 program to compile" in said


def test_progress_judges_by_the_training_pairs(trained, capsys):
    """What is told of a finished sweep."""
    assert call(main, *SWEEP, f"--workdir={trained}") == 0
    said = capsys.readouterr().out
    assert f"{WHOLE}: generalised 2/2, median train loss " in said
    assert f"{PART}: generalised " in said and "median test loss " in said
    assert "nan" not in said


@pytest.mark.parametrize("after", [3, 9])
def test_a_run_cut_off_and_resumed_has_the_bits_of_one_that_was_not(tmp_path, after):
    def die():
        raise CutOff

    cell = tiny_cell(
        train_fraction=1.0, checkpoint__every_seconds=0.0, max_chunk_seconds=1e-4
    )
    expected = train_cell(cell, tmp_path / "undisturbed", Progress())
    with pytest.raises(CutOff):
        train_cell(cell, tmp_path / "cut", Watcher(after, die))
    results = train_cell(cell, tmp_path / "cut", Progress())
    chex.assert_trees_all_equal(results.metrics, expected.metrics)
    chex.assert_trees_all_equal(
        *(final_weights(cell, tmp_path / name) for name in ("undisturbed", "cut"))
    )


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_a_part_and_the_whole_share_programs_and_keep_their_bits(
    monkeypatch, architecture
):
    cells = [
        tiny_cell(architectures=(architecture,), train_fraction=fraction)
        for fraction in (0.8, 1.0)
    ]

    def measured(ensemble):
        state, loss = ensemble.train(ensemble.init(), 20)
        return ensemble.fetch((state, loss)), ensemble.evaluate(state)

    alone = [measured(build_ensemble([cell])) for cell in cells]
    traces = count_traces(monkeypatch)
    programs = Programs([[cell] for cell in cells])
    counts = []
    for cell, (state, metrics) in zip(cells, alone, strict=True):
        shared, shown = measured(programs.ensemble([cell]))
        chex.assert_trees_all_equal(shared, state)
        chex.assert_trees_all_close(shown, metrics, rtol=1e-5, atol=1e-6)
        counts.append(dict(traces))
    assert counts[0] == counts[1]
    # Side by side in one round.
    (state, loss), metrics = measured(Ensemble(cells))
    assert np.isnan(metrics["test_loss"]).tolist() == [False] * 3 + [True] * 3
    for rows, ((own, own_loss), _) in zip((slice(3), slice(3, 6)), alone, strict=True):
        chex.assert_trees_all_equal(
            jax.tree.map(lambda x, rows=rows: x[rows], (state.params, loss)),
            (own.params, own_loss),
        )


def test_a_seed_begins_with_the_same_weights_at_every_fraction():
    part, whole = (
        Ensemble([tiny_cell(train_fraction=fraction)]) for fraction in (0.8, 1.0)
    )
    chex.assert_trees_all_equal(part.weights(part.init()), whole.weights(whole.init()))
