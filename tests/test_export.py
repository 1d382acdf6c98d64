import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from repjax import export
from repjax.engine.ensemble import Ensemble
from repjax.engine.progress import Progress
from repjax.groups import build_group
from repjax.models import build_model
from repjax.reference.formats import tensor_name
from repjax.settings.rules import ConfigError
from tests.conftest import REPOSITORY
from tests.programs import call
from tests.tiny import tiny_cell, train_cell

MLP_NAMES = {"W_x", "W_y", "W", "W_U"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir with a tiny cell of each architecture."""
    workdir = tmp_path_factory.mktemp("trained")
    for architecture in ("mlp", "transformer"):
        cell = tiny_cell(architectures=(architecture,), num_steps=3)
        train_cell(cell, workdir, Progress())
    return workdir


def logits(run: export.Export) -> np.ndarray:
    order = build_group(run.cell.group).order
    model = build_model(run.cell, order)
    left, right = jnp.divmod(jnp.arange(order**2), order)
    params = jax.tree.map(jnp.asarray, run.params)
    return np.asarray(model.apply(params, left, right))


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_round_trip(trained, tmp_path, architecture):
    """Weights to the bit, and so logits; the right run among those of its cell."""
    file = tmp_path / "folder" / "run.safetensors"
    name = f"S3_{architecture}/2"
    assert call(export, f"--workdir={trained}", f"--run={name}", f"--out={file}") == 0
    before, after = export.read_checkpoint(trained, name), export.load_export(file)
    assert (after.seed, after.step, after.cell) == (2, 3, before.cell)
    np.testing.assert_array_equal(after.train_pairs, before.train_pairs)
    assert after.weights.keys() == before.weights.keys()
    for weight in before.weights:
        np.testing.assert_array_equal(after.weights[weight], before.weights[weight])
    np.testing.assert_allclose(logits(after), logits(before), rtol=0, atol=1e-6)
    other = export.read_checkpoint(trained, f"S3_{architecture}/1")
    assert np.abs(logits(other) - logits(before)).max() > 0.01


def test_run_is_the_one_of_its_seed(trained):
    """Restored through the ensemble, run i is the i-th seed."""
    run = export.read_checkpoint(trained, "S3_mlp/3")
    start = Ensemble([run.cell])
    fresh = start.fetch(start.init())
    np.testing.assert_array_equal(run.train_pairs, fresh.train_pairs[2])


def test_names_and_metadata_of_an_mlp(trained, tmp_path):
    file = tmp_path / "mlp.safetensors"
    export.save_export(export.read_checkpoint(trained, "S3_mlp/1"), file)
    with safe_open(file, framework="numpy") as stored:
        assert set(stored.keys()) == MLP_NAMES
        metadata = stored.metadata()
    assert metadata["group"] == "S3"
    assert json.loads(metadata["elements"])[1] == [0, 2, 1]
    assert json.loads(metadata["cell"])["optimizer"]["beta2"] == 0.98
    assert len(json.loads(metadata["train_pairs"])) == 25  # .7 of 36


def test_names_and_shapes_are_those_of_transformerlens(trained, tmp_path):
    file = tmp_path / "transformer.safetensors"
    run = export.read_checkpoint(trained, "S3_transformer/1")
    export.save_export(run, file)
    with safe_open(file, framework="numpy") as stored:
        shapes = {name: stored.get_tensor(name).shape for name in stored.keys()}  # noqa: SIM118
        biases = [stored.get_tensor(name) for name in shapes if ".b_" in name]
    assert shapes["embed.W_E"] == (7, 8)
    assert shapes["blocks.0.attn.W_Q"] == (2, 8, 4)
    assert shapes["blocks.0.attn.b_Q"] == (2, 4)
    assert shapes["unembed.b_U"] == (6,)
    theirs = {tensor_name("transformer", weight) for weight in run.weights}
    assert len(theirs) == 9 and theirs < shapes.keys()
    assert len(biases) == 7 and not any(map(np.any, biases))


@pytest.mark.parametrize("name", ["D5", "C4", "A4"])
def test_elements_are_described(name):
    described = export._elements(name)
    assert len(described["elements"]) == build_group(name).order
    if name == "D5":
        assert described["elements"][7] == "r^2 s"


def test_transposed_weights_are_written_as_they_are(trained, tmp_path):
    """What is not contiguous must be copied: memory is written as it lies."""
    run = export.read_checkpoint(trained, "S3_mlp/1")
    swapped = {n: np.asfortranarray(w) for n, w in run.weights.items()}
    file = tmp_path / "f.safetensors"
    export.save_export(
        export.Export(run.cell, run.seed, run.step, swapped, run.train_pairs), file
    )
    for name, weight in export.load_export(file).weights.items():
        np.testing.assert_array_equal(weight, run.weights[name])


def test_example_agrees_in_torch(trained, tmp_path):
    pytest.importorskip("torch")
    file = tmp_path / "run.safetensors"
    run = export.read_checkpoint(trained, "S3_transformer/1")
    export.save_export(run, file)
    example = REPOSITORY / "examples" / "transformer_in_torch.py"
    done = subprocess.run(
        [sys.executable, example, file],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    difference = float(done.stdout.split()[-1])
    assert difference < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--workdir: missing; use a directory"),
        (["--run=S3_mlp/1"], "--out: missing; use a file"),
        (
            ["--run=S3_mlp/1", "--out=net.pt"],
            "--out: 'net.pt' is not allowed; use a name that ends in .safetensors\n",
        ),
        (
            ["--run=S9_mlp/1", "--out=x.safetensors"],
            "--run: 'S9_mlp/1' names no cell in",
        ),
        (["--run=1", "--out=x.safetensors"], "--run: '1' names no cell in"),
        (
            ["--run=S3_mlp/9", "--out=x.safetensors"],
            "--run: 'S3_mlp/9': S3_mlp has the seeds 1, 2",
        ),
    ],
)
def test_bad_input_is_one_line(trained, capsys, arguments, message):
    workdir = [f"--workdir={trained}"] if arguments else []
    assert call(export, *workdir, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_foreign_files_are_refused(tmp_path):
    text = tmp_path / "text"
    text.write_text("no tensors")
    with pytest.raises(ConfigError, match="not a readable safetensors file"):
        export.load_export(text)
    with pytest.raises(ConfigError, match="not a readable safetensors file"):
        export.load_export(tmp_path / "absent")
    foreign = tmp_path / "foreign"
    save_file({"x": np.zeros(3)}, foreign)
    with pytest.raises(ConfigError, match="not written by repjax"):
        export.load_export(foreign)
    marked = {"format": export.FORMAT}
    save_file({"x": np.zeros(3)}, foreign, marked)
    with pytest.raises(ConfigError, match="lacks 'cell'"):
        export.load_export(foreign)
    save_file({"x": np.zeros(3)}, foreign, marked | {"cell": "{"})
    with pytest.raises(ConfigError, match="its metadata are damaged"):
        export.load_export(foreign)


def test_default_device_is_not_needed(trained):
    """What is read back is NumPy, not arrays of jax."""
    run = export.read_checkpoint(trained, "S3_mlp/1")
    assert all(isinstance(w, np.ndarray) for w in run.weights.values())
    assert not isinstance(run.train_pairs, jax.Array)
