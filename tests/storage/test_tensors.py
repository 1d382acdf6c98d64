"""Files of weights that a disk has changed are refused, whatever byte it was."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from repjax import export
from repjax.engine.progress import Progress
from repjax.engine.train import train_sweep
from repjax.report import __main__ as report
from repjax.settings.rules import ConfigError
from repjax.storage.rounds import round_of
from repjax.storage.snapshots import FORMAT, load_snapshot
from repjax.storage.tensors import read_tensors, write_tensors
from tests.programs import call
from tests.tiny import tiny_cell

TENSORS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2)}
METADATA = {"format": "test 1", "step": "7"}


def damage(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "folder" / "f.safetensors"
    write_tensors(path, TENSORS, METADATA)
    tensors, metadata = read_tensors(path, "test 1")
    assert metadata == METADATA and tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor)


def test_no_byte_can_change_a_weight_without_a_word(tmp_path):
    path = tmp_path / "f.safetensors"
    write_tensors(path, TENSORS, METADATA)
    whole, read = path.read_bytes(), []
    for position in range(len(whole)):
        damage(path, position)
        try:
            tensors, metadata = read_tensors(path, "test 1")
        except ConfigError as error:
            assert str(path) in str(error)
        else:
            read.append(position)
            assert METADATA.items() <= metadata.items()
            for name, tensor in TENSORS.items():
                np.testing.assert_array_equal(tensors[name], tensor)
        path.write_bytes(whole)
    # Only the word "sha256" and the spaces that end the header may change.
    assert len(read) < 20


def test_a_file_of_an_earlier_version_has_no_digest(tmp_path):
    path = tmp_path / "f.safetensors"
    save_file(TENSORS, path, METADATA)
    tensors, _ = read_tensors(path, "test 1")
    np.testing.assert_array_equal(tensors["W"], TENSORS["W"])
    with pytest.raises(ConfigError, match="not written by repjax as 'test 2'"):
        read_tensors(path, "test 2")


def test_a_damaged_snapshot_is_named_by_every_program(tmp_path, capsys):
    cell, workdir = tiny_cell(checkpoint__snapshots=True), tmp_path / "trained"
    list(train_sweep([cell], workdir, Progress()))
    past = round_of(workdir / cell.name)
    path = past.directory / "snapshots" / "1.safetensors"
    load_snapshot(past, 1)
    damage(path, -5)
    for program, flags in (
        (export, ["--run=S3_mlp/1", f"--out={tmp_path / 'f.safetensors'}"]),
        (report, [f"--out={tmp_path / 'report'}"]),
    ):
        capsys.readouterr()
        assert call(program, f"--workdir={workdir}", "--step=1", *flags) == 2
        error = capsys.readouterr().err
        assert f"{path}: damaged" in error and error.count("\n") == 1
    save_file(load_file(path), path, {"format": FORMAT})  # an earlier version's
    assert load_snapshot(past, 1).keys() == {"W_x", "W_y", "W", "W_U"}


def test_a_damaged_export_is_refused(tmp_path):
    cell = tiny_cell(num_steps=3)
    list(train_sweep([cell], tmp_path, Progress()))
    file = tmp_path / "run.safetensors"
    export.save_export(export.read_checkpoint(tmp_path, "S3_mlp/2"), file)
    export.load_export(file)
    damage(file, -1)
    with pytest.raises(ConfigError, match="damaged: differs from its digest"):
        export.load_export(file)
