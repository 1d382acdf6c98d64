import chex
import numpy as np

from repjax.checkpoint import Checkpoints

TREE = {"weights": np.arange(6.0, dtype=np.float32).reshape(2, 3), "step": np.int32(7)}


def shifted(by):
    return {"weights": TREE["weights"] + by, "step": np.int32(by)}


def test_what_is_saved_is_restored(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest_step() is None
    checkpoints.save(7, TREE)
    checkpoints.close()

    again = Checkpoints(tmp_path)
    assert again.latest_step() == 7
    restored = again.restore(7, TREE)
    chex.assert_trees_all_equal(restored, TREE)
    assert isinstance(restored["weights"], np.ndarray)
    again.close()


def test_the_newest_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 3):
        checkpoints.save(step, shifted(step))
    assert checkpoints.latest_step() == 3
    chex.assert_trees_all_equal(checkpoints.restore(2, TREE), shifted(2))
    checkpoints.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "2",
        "3",
    ]


def test_saving_a_step_again_keeps_the_first(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, TREE)
    checkpoints.save(3, shifted(1))
    chex.assert_trees_all_equal(checkpoints.restore(3, TREE), TREE)
    checkpoints.close()


def test_a_save_that_was_cut_off_counts_for_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, TREE)
    checkpoints.close()
    leftover = tmp_path / "5.orbax-checkpoint-tmp"
    (leftover / "default").mkdir(parents=True)
    (leftover / "default" / "manifest.ocdbt").write_bytes(b"half")

    again = Checkpoints(tmp_path)
    assert again.latest_step() == 3
    again.save(5, shifted(5))
    chex.assert_trees_all_equal(again.restore(5, TREE), shifted(5))
    again.close()


def test_a_reader_leaves_a_save_in_progress_alone(tmp_path):
    writer = Checkpoints(tmp_path)
    writer.save(3, TREE)
    in_progress = tmp_path / "5.orbax-checkpoint-tmp"
    in_progress.mkdir()
    reader = Checkpoints(tmp_path, read_only=True)
    assert reader.latest_step() == 3
    chex.assert_trees_all_equal(reader.restore(3, TREE), TREE)
    reader.close()
    assert in_progress.is_dir()
    writer.close()
