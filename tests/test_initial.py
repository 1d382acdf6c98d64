"""Energies at step 0 of the runs of a cell, and the file that keeps them."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from repjax import initial
from repjax.dissection import FinishedCell
from repjax.engine.progress import Progress
from repjax.groups import build_fourier
from tests.analysis import definitions
from tests.tiny import tiny_cell, train_cell


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """Three MLPs on S3, with a snapshot of step 0."""
    folder = tmp_path_factory.mktemp("initial")
    tiny = tiny_cell(num_steps=4, checkpoint__snapshots=True)
    train_cell(tiny, folder, Progress())
    return FinishedCell(folder / tiny.name)


@pytest.fixture(scope="module")
def found(cell):
    return initial.energies(cell)


def test_the_weights_are_those_that_training_began_with(cell, found):
    start = initial.initial_state(cell.results.cell)
    jax.tree.map(np.testing.assert_array_equal, start.params, cell.snapshot(0))
    np.testing.assert_array_equal(start.train_pairs, cell._at(None).train_pairs)
    project = definitions.projections(cell.group, build_fourier(cell.group).characters)
    for run in range(3):
        weights = {name: x[run] for name, x in cell.snapshot(0)["params"].items()}
        left, right, above = definitions.factors("mlp", weights)
        for name, table in (("w_a", left), ("w_b", right), ("w_u", above.T)):
            np.testing.assert_allclose(
                found[f"energy_{name}"][run],
                ((project @ table) ** 2).sum(axis=(1, 2)),
                rtol=1e-4,
            )


def test_every_run_and_irrep_has_every_energy(cell, found):
    assert tuple(found) == initial.FEATURES
    for values in found.values():
        assert values.shape == (3, 3) and values.dtype == np.float32
        assert (values >= 0).all() and len(np.unique(values[:, 2])) == 3
    for name in ("w_a", "w_b", "w_u"):
        energy = found[f"energy_{name}"]
        np.testing.assert_allclose(
            energy / energy.sum(axis=1, keepdims=True),
            cell.results.metrics[f"irrep_fve_{name}"][:, 0],
            rtol=1e-5,
        )


def test_they_are_kept_and_read_back(cell, found, monkeypatch):
    path = cell.directory / "initial.npz"
    before = path.read_bytes()
    monkeypatch.setattr(initial, "measure", None)  # must not be called
    again = initial.energies(cell)
    assert all((again[name] == found[name]).all() for name in found)
    assert path.read_bytes() == before


@pytest.mark.parametrize("fault", ["cut", "seeds", "setting", "irreps", "format"])
def test_a_file_of_other_runs_or_a_damaged_one_is_replaced(
    cell, found, fault, monkeypatch
):
    path = cell.directory / "initial.npz"
    before = path.read_bytes()
    with np.load(path) as archive:
        arrays = dict(archive)
    mine = cell.results.cell
    if fault == "cut":
        path.write_bytes(before[:-9])
    else:
        other = FinishedCell(cell.directory)
        if fault == "seeds":
            changed = replace(mine, seeds=(7, 8, 9))
            other.results = replace(other.results, cell=changed)
        elif fault == "setting":
            changed = replace(mine, train_fraction=0.5)
            other.results = replace(other.results, cell=changed)
        elif fault == "irreps":
            other.results = replace(other.results, irreps=("trivial", "2d", "sign"))
        else:
            monkeypatch.setattr(initial, "FORMAT", "repjax initial 0")
        initial._save(path, other, {name: 0 * arrays[name] for name in found})
        monkeypatch.undo()
    calls = []
    monkeypatch.setattr(initial, "measure", lambda of: calls.append(of) or dict(found))
    again = initial.energies(cell)
    assert calls == [cell]
    assert all((again[name] == found[name]).all() for name in found)
    initial.energies(cell)
    assert calls == [cell]


def test_a_folder_that_may_only_be_read_is_left_as_it_is(cell, found, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(initial, "write_atomically", refuse)
    monkeypatch.setattr(initial, "_load", lambda *_: None)
    monkeypatch.setattr(initial, "measure", lambda _: found)
    assert initial.energies(cell) is found


def test_imported_networks_have_none(cell):
    """Their metrics before the last step are blank."""
    imported = FinishedCell(cell.directory)
    blank = dict(imported.results.metrics)
    blank["train_loss"] = blank["train_loss"].copy()
    blank["train_loss"][:, :-1] = np.nan
    imported.results = replace(imported.results, metrics=blank)
    assert initial.energies(imported) == {}
