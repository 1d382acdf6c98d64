import json
from dataclasses import replace

import numpy as np
import pytest

from repjax.analysis import evaluate
from repjax.engine.progress import Progress
from repjax.storage.results import KEY_SIMILARITY, CellResults, load_workdir
from tests.made_up import make_cell, make_results, with_similarity
from tests.tiny import tiny_cell, train_cell


def test_saved_results_load_equal(tmp_path):
    results = with_similarity(make_results(), 0, np.eye(4))
    directory = tmp_path / "S4_mlp"
    directory.mkdir()
    assert not CellResults.exists(directory)

    path = results.save(directory)

    assert path == directory / "trajectory.npz"
    assert CellResults.exists(directory)
    loaded = CellResults.load(directory)
    assert loaded.cell == results.cell
    assert loaded.irreps == results.irreps
    assert loaded.irrep_dims == results.irrep_dims
    np.testing.assert_array_equal(loaded.steps, results.steps)
    assert loaded.metrics.keys() == results.metrics.keys()
    for name, values in results.metrics.items():
        np.testing.assert_array_equal(loaded.metrics[name], values, strict=True)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    results = make_results()
    before = results.save(tmp_path).read_bytes()

    def fail(file, **arrays):
        file.write(b"half a fi")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        results.save(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["trajectory.npz"]
    assert (tmp_path / "trajectory.npz").read_bytes() == before


@pytest.mark.parametrize("damage", ["flipped byte", "cut off", "other file"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = make_results().save(tmp_path)
    whole = bytearray(path.read_bytes())
    if damage == "flipped byte":
        whole[whole.index(b"weight_norm_sq") + 40] ^= 1
    elif damage == "cut off":
        del whole[len(whole) // 2 :]
    else:
        np.savez(path, numbers=np.arange(3))
        whole = bytearray(path.read_bytes())
    path.write_bytes(bytes(whole))

    with pytest.raises(ValueError, match=r"trajectory\.npz: not a readable trajectory"):
        CellResults.load(tmp_path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        CellResults.load(tmp_path)


def test_load_workdir_takes_every_finished_cell(tmp_path):
    for architecture in ("transformer", "mlp"):
        results = make_results(make_cell(architecture=architecture))
        results.save(tmp_path / results.cell.name)
    (tmp_path / "S4_bilinear").mkdir()
    (tmp_path / "manifest.json").write_text(json.dumps({}))

    names = [results.cell.name for results in load_workdir(tmp_path)]

    assert names == ["S4_mlp", "S4_transformer"]


def test_shapes_must_agree():
    results = make_results()
    metrics = results.metrics | {"test_loss": np.zeros((2, 3))}
    with pytest.raises(ValueError, match=r"S4_mlp: test_loss has shape \(2, 3\)"):
        replace(results, metrics=metrics)


def test_key_irreps_stand_in_order_of_learning():
    # Columns: trivial, sign, 2d, standard. The standard irrep is learned at step 1 and
    # forgotten a little, the 2d one at step 10, and sign never: .05 is not above .05.
    similarity = [
        [0, 0, 0, 0],
        [0.9, 0, 0, 0.3],
        [0.9, 0, 0.6, 0.3],
        [1, 0.05, 0.6, 0.2],
    ]
    results = with_similarity(make_results(), 1, similarity)

    assert results.key_irreps(1) == ("standard", "2d", "sign")
    np.testing.assert_array_equal(results.learned_step[1], [1, np.inf, 10, 1])
    assert results.key_irreps(0) == ()


def test_ties_and_unlearned_irreps_stand_by_final_similarity():
    similarity = np.zeros((4, 4))
    similarity[-1] = [0, 0.01, 0.02, 0.5]
    assert with_similarity(make_results(), 0, similarity).key_irreps(0) == (
        "standard",
        "2d",
        "sign",
    )
    similarity[-1] = [0, 0.5, 0.4, 0.6]
    assert with_similarity(make_results(), 0, similarity).key_irreps(0) == (
        "standard",
        "sign",
        "2d",
    )


def test_an_irrep_is_key_above_the_threshold_only_and_trivial_never():
    similarity = np.zeros((4, 4), np.float32)
    similarity[-1] = [0.9, 0.005, 0.0051, 0]
    assert with_similarity(make_results(), 0, similarity).key_irreps(0) == ("2d",)


def test_analysis_has_the_same_threshold():
    assert KEY_SIMILARITY == evaluate.KEY_SIMILARITY


def test_generalised_looks_at_the_last_evaluation():
    cell = make_cell(seeds=(1, 2, 3))
    results = make_results(cell, test_accuracy=[1.0, 0.99, 0.98])
    assert results.generalised.tolist() == [True, True, False]


def test_without_test_pairs_train_accuracy_decides():
    cell = replace(make_cell(seeds=(1, 2, 3)), train_fraction=1.0)
    results = make_results(cell, test_accuracy=np.nan, train_accuracy=[1.0, 0.99, 0.98])
    assert results.generalised.tolist() == [True, True, False]
    assert not results.has_generalised[:, :-1].any()
    measured = make_results(test_accuracy=[0.5, 1.0], train_accuracy=[1.0, 0.5])
    assert measured.generalised.tolist() == [False, True]


def test_names_of_group_and_settings():
    cell = make_cell(group="tables/q8.csv")
    assert make_results(cell).group_name == "q8"
    assert make_results(cell).settings == ""
    swept = replace(cell, swept=("optimizer.weight_decay",))
    assert make_results(swept).settings == "weight_decay=1.0"


def test_a_run_that_its_last_step_broke_has_diverged(tmp_path):
    """It was not stopped, for there was no next step to see its loss."""
    cell = tiny_cell(num_steps=1, optimizer__learning_rate=1e38)
    results = train_cell(cell, tmp_path, Progress())
    assert (results.final("trained_steps") == 1).all()
    assert results.diverged.all()
    sound = train_cell(tiny_cell(num_steps=1), tmp_path / "sound", Progress())
    assert not sound.diverged.any()
