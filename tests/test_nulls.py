"""Weights of the nulls: at memorisation, read or trained again."""

import chex
import numpy as np
import pytest

from repjax.dissection import FinishedCell
from repjax.engine.progress import Progress
from repjax.metrics import MEMORISED
from repjax.nulls import (
    LONGEST_REPLAY,
    Memorisation,
    memorisation,
    memorised_params,
)
from repjax.storage.earlier import KEPT
from tests.tiny import tiny_cell, train_cell


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Folder of a finished cell with snapshots."""
    cell, workdir = tiny_cell(checkpoint__snapshots=True), tmp_path_factory.mktemp("n")
    train_cell(cell, workdir, Progress())
    return workdir / cell.name


def without_snapshots(directory, monkeypatch):
    cell = FinishedCell(directory)
    monkeypatch.setattr(cell, "snapshots", lambda: [])
    return cell


def with_accuracy(cell, train, test):
    """The cell, its train and test accuracy by run and evaluation replaced."""
    cell.results.metrics.update(
        train_accuracy=np.array(train, np.float32),
        test_accuracy=np.array(test, np.float32),
    )
    return cell


def test_memorisation_comes_before_generalisation(directory, monkeypatch):
    """Of three runs one memorises first, one generalises at once, one never learns."""
    cell = without_snapshots(directory, monkeypatch)
    rest = len(cell.results.steps) - 4
    with_accuracy(
        cell,
        [[0, 0.5, MEMORISED, 1, *[1] * rest], [0, 0, 1, 1, *[1] * rest],
         [0, 0, 0, 0, *[0] * rest]],
        [[0, 0, 0.1, 0.2, *[1] * rest], [0, 0, 1, 1, *[1] * rest],
         [0, 0, 0, 0, *[0] * rest]],
    )  # fmt: skip
    past = memorisation(cell)
    assert past.found.tolist() == [True, False, False]
    assert past.index.tolist() == [2, 0, 0]
    assert 0 < past.seconds < LONGEST_REPLAY


def test_training_again_gives_what_snapshots_kept(directory, monkeypatch, capsys):
    """Each run at its own step; a run without one does not matter."""
    index, found = np.array([3, 0, 4]), np.array([True, False, True])
    kept = memorised_params(
        FinishedCell(directory), Memorisation(index, found, float("nan"))
    )
    assert capsys.readouterr().err == ""
    bare = without_snapshots(directory, monkeypatch)
    again = memorised_params(bare, Memorisation(index, found, 7.0))
    chex.assert_trees_all_equal(again, kept)
    step = bare.results.steps[4]
    assert capsys.readouterr().err == (
        f"repjax: S3_mlp: training again to step {step}, about 7 s: the weights at "
        "which its runs memorised are one of the nulls\n"
    )
    weights = bare.params()["params"]["W_U"]
    assert not np.array_equal(again["params"]["W_U"][0], weights[0])


def test_weights_are_trained_again_once(directory, monkeypatch):
    """Kept for the same cell at the same steps; a damaged file is not used."""
    cell = without_snapshots(directory, monkeypatch)
    (directory / KEPT).unlink(missing_ok=True)
    trained = []

    def train(cell, steps):
        trained.append(steps)
        return {"W": np.full(2, len(trained), np.float32)}

    monkeypatch.setattr("repjax.nulls.weights_at", train)

    def weights(*index):
        past = Memorisation(np.array(index), np.ones(3, bool), 7.0)
        return memorised_params(cell, past)["params"]["W"].tolist()

    assert weights(3, 3, 3) == weights(3, 3, 3) == [1, 1]
    assert weights(3, 3, 4) == [2, 2]
    (directory / KEPT).write_bytes(b"half a file")
    assert weights(3, 3, 4) == weights(3, 3, 4) == [3, 3]
    monkeypatch.setattr("repjax.storage.earlier.__version__", "another")
    assert weights(3, 3, 4) == [4, 4]
    monkeypatch.setattr("repjax.storage.earlier.MOST_KEPT", 0)
    assert weights(3, 4, 4) != weights(3, 4, 4)
    (directory / KEPT).unlink()


def test_what_takes_too_long_is_not_trained(directory, monkeypatch):
    cell = without_snapshots(directory, monkeypatch)
    (directory / KEPT).unlink(missing_ok=True)
    monkeypatch.setattr("repjax.nulls.weights_at", None)
    index, found = np.array([3, 3, 3]), np.ones(3, bool)
    assert memorised_params(cell, Memorisation(index, found, 61.0)) is None
    nobody = Memorisation(index, ~found, float("nan"))
    assert memorised_params(cell, nobody) is None
