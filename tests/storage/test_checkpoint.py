import shutil

import chex
import numpy as np
import pytest

from repjax.storage.checkpoint import Checkpoints

TREE = {"weights": np.arange(6.0, dtype=np.float32).reshape(2, 3), "step": np.int32(7)}


def shifted(by):
    return {"weights": TREE["weights"] + by, "step": np.int32(by)}


def save(directory, *steps, **options):
    checkpoints = Checkpoints(directory, **options)
    for step in steps:
        checkpoints.save(step, {"state": shifted(step), "history": {"loss": TREE}})
    checkpoints.close()


def newest(directory, **options):
    """Step and state of the newest whole checkpoint."""
    checkpoints = Checkpoints(directory, **options)
    step = checkpoints.latest_step()
    state = None
    if step is not None:
        state = checkpoints.restore(step, {"state": TREE})["state"]
        chex.assert_trees_all_equal(state, shifted(step))
    checkpoints.close()
    return step


def files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_what_is_saved_is_restored(tmp_path):
    assert newest(tmp_path) is None
    save(tmp_path, 7)
    assert newest(tmp_path) == 7
    checkpoints = Checkpoints(tmp_path)
    restored = checkpoints.restore(7, {"state": TREE, "history": None})
    chex.assert_trees_all_equal(restored["state"], shifted(7))
    chex.assert_trees_all_equal(restored["history"], {"loss": TREE})
    for tree in restored.values():
        chex.assert_tree_is_on_host(tree, allow_cpu_device=False)
    checkpoints.close()


def test_the_newest_stay(tmp_path):
    save(tmp_path, 1, 2, 3, keep=2)
    assert newest(tmp_path) == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "2", "3", "2.sha256.json", "3.sha256.json",
    }  # fmt: skip


def test_a_step_can_be_saved_again(tmp_path):
    save(tmp_path, 3)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, {"state": TREE})
    restored = checkpoints.restore(3, {"state": TREE})
    chex.assert_trees_all_equal(restored["state"], TREE)
    checkpoints.close()


def test_a_save_that_was_cut_off_counts_for_nothing(tmp_path):
    save(tmp_path, 3)
    leftover = tmp_path / "5.orbax-checkpoint-tmp"
    (leftover / "default").mkdir(parents=True)
    (leftover / "default" / "manifest.ocdbt").write_bytes(b"half")
    assert newest(tmp_path) == 3
    save(tmp_path, 5)
    assert newest(tmp_path) == 5
    assert not leftover.exists()


def test_a_committed_step_without_digest_is_half_written(tmp_path, capsys):
    save(tmp_path, 3, 5)
    (tmp_path / "5.sha256.json").unlink()
    assert newest(tmp_path) == 3
    assert f"{tmp_path / '5'} is not used: it has no digest" in capsys.readouterr().err
    assert (tmp_path / "damaged" / "5").is_dir()
    save(tmp_path, 5)
    assert newest(tmp_path) == 5


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << position % 8
    path.write_bytes(content)


def cut_short(path, position):
    path.write_bytes(path.read_bytes()[:position])


@pytest.mark.parametrize("damage", [flip, cut_short])
def test_every_damaged_file_is_found_and_the_step_before_used(tmp_path, capsys, damage):
    """Of the newest checkpoint, in turn; its digest too."""
    original = tmp_path / "original"
    save(original, 3, 5)
    rng = np.random.default_rng(0)
    for name in [*files(original / "5"), original / "5.sha256.json"]:
        copy = tmp_path / "copy"
        shutil.copytree(original, copy)
        size = name.stat().st_size
        damage(copy / name.relative_to(original), int(rng.integers(size)))
        assert newest(copy) == 3, name
        assert f"checkpoint {copy / '5'} is not used" in capsys.readouterr().err
        shutil.rmtree(copy)


def test_a_missing_and_an_added_file_are_damage(tmp_path, capsys):
    save(tmp_path, 3, 5)
    files(tmp_path / "5")[0].unlink()
    assert newest(tmp_path) == 3
    assert "is missing" in capsys.readouterr().err
    (tmp_path / "3" / "state" / "foreign").write_text("?")
    assert newest(tmp_path) is None
    told = capsys.readouterr().err
    assert "foreign differs" in told
    assert "no usable checkpoint is left" in told and "starts at step 0" in told
    assert newest(tmp_path) is None
    assert not capsys.readouterr().err, "nothing was there, nothing was lost"


def test_a_reader_leaves_everything_as_it_is(tmp_path, capsys):
    save(tmp_path, 3, 5)
    in_progress = tmp_path / "6.orbax-checkpoint-tmp"
    in_progress.mkdir()
    cut_short(files(tmp_path / "5")[0], 1)
    assert newest(tmp_path, read_only=True) == 3
    assert "differs from its digest" in capsys.readouterr().err
    assert in_progress.is_dir() and (tmp_path / "5").is_dir()
