import json
import struct
import sys

import numpy as np
import pytest

from repjax.engine.curves import Curves, counts, statistics
from repjax.engine.progress import Progress, Together
from repjax.engine.train import train_sweep
from repjax.settings.rules import ConfigError
from tests.tiny import tiny_cell

NAN = np.nan


def test_statistics_are_over_the_runs_that_have_a_value():
    losses = np.array([4.0, NAN, 1.0, 2.0, 3.0], np.float32)
    found = statistics({"test_loss": losses, "trained_steps": np.arange(5)})
    assert found == pytest.approx(
        {
            "test_loss/mean": 2.5,
            "test_loss/q10": 1.3,
            "test_loss/median": 2.5,
            "test_loss/q90": 3.7,
        }
    )
    assert statistics({"test_loss": np.full(3, NAN)}) == {}


def test_counts_are_of_runs():
    metrics = {
        "train_loss": np.array([0.1, NAN, 0.1]),
        "test_accuracy": np.array([1.0, NAN, 0.5]),
        "train_accuracy": np.array([1.0, NAN, 1.0]),
        "logit_similarity": np.array(
            [[1, 0.1, 0.0, 9], [1, NAN, NAN, 9], [1, 1, 1, 9]]
        ),
    }
    assert counts(metrics, ("trivial", "sign", "standard")) == {
        "runs/generalised": 1,
        "runs/diverged": 1,
        "runs_with_key/sign": 2,
        "runs_with_key/standard": 1,
    }


def records(folder) -> list:
    """The events in the files of a folder, in order of writing."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:  # a record: length, its checksum, content, its checksum
            (length,) = struct.unpack("<Q", data[:8])
            event = Event()
            event.ParseFromString(data[12 : 12 + length])
            found.append(event)
            data = data[16 + length :]
    return found


def curve(events, tag) -> dict[int, float]:
    return {
        event.step: value.simple_value
        for event in events
        for value in event.summary.value
        if value.tag == tag
    }


def train(cells, workdir, log):
    curves = Curves.of(log, workdir)
    with Together([Progress(), curves]) as progress:
        return [r for done in train_sweep(cells, workdir, progress) for r in done]


def test_curves_of_tensorboard_are_the_trajectories(tmp_path):
    """Two groups that train together have a run each, with its own settings."""
    pytest.importorskip("tensorboardX")
    cells = [tiny_cell(), tiny_cell(groups=("C6",), optimizer__weight_decay=0.5)]
    results = train(cells, tmp_path, "tensorboard")
    for cell, found in zip(cells, results, strict=True):
        events = records(tmp_path / "tensorboard" / cell.name)
        for name in ("test_loss", "fve_mlp"):
            shown = curve(events, f"{name}/median")
            assert [*shown] == found.steps.tolist()
            medians = np.median(found.metrics[name], axis=0)
            np.testing.assert_allclose([*shown.values()], medians, rtol=1e-6)
        assert {*curve(events, "train_loss/mean")} >= {*found.steps.tolist()}
        (key,) = {*curve(events, f"runs_with_key/{found.irreps[1]}").items()} & {
            (40, float(found.is_key[:, 1].sum()))
        }
        assert key
        told = {v.tag: v for event in events for v in event.summary.value}
        content = told["_hparams_/session_start_info"].metadata.plugin_data.content
        assert (
            b"optimizer.weight_decay" in content
            and found.cell.group.encode() in content
        )


def test_a_resumed_round_replaces_what_comes_after_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboardX")
    cell = tiny_cell()
    for step in (0, 7):
        curves = Curves("tensorboard", tmp_path)
        curves.prepare([cell])
        curves.start(cell.name, 3, 40, step)
        curves.update(step + 9, np.ones(3))
        curves.__exit__()
    events = records(tmp_path / "tensorboard" / cell.name)
    starts = [e.step for e in events if e.HasField("session_log")]
    assert starts == [1, 8]


def test_many_cells_have_no_curves_and_a_line_says_so(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tensorboardX")
    monkeypatch.setattr("repjax.engine.curves.MOST_CELLS", 1)
    curves = Curves("tensorboard", tmp_path)
    curves.prepare([tiny_cell(), tiny_cell(groups=("C6",))])
    curves.start("", 6, 40, 0)
    curves.update(1, np.ones(6))
    assert "no curves of 2 cells that train together" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_wandb_offline_keeps_settings_and_curves(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    cell = tiny_cell()
    curves = Curves.of("wandb", tmp_path)
    with curves:
        curves.prepare([cell])
        curves.start(cell.name, 3, 40, 0)
        run = curves._sinks[0]._run
        curves.update(5, np.array([1.0, 2.0, 6.0]))
        assert run.name == "S3_mlp" and run.group == tmp_path.name
        assert run.config["optimizer.weight_decay"] == 1.0
        assert run.config["num_runs"] == 3
        assert run.summary["step"] == 5 and run.summary["train_loss/mean"] == 3.0
    wandb.teardown()  # its own process writes the file in its own time
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert b"train_loss/median" in file.read_bytes()


def test_what_wandb_refuses_is_one_line(tmp_path, monkeypatch):
    """As without a key."""
    wandb = pytest.importorskip("wandb")

    def refuse(**_):
        raise wandb.errors.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "init", refuse)
    curves = Curves.of("wandb", tmp_path)
    curves.prepare([tiny_cell()])
    with pytest.raises(ConfigError) as error:
        curves.start("S3_mlp", 3, 40, 0)
    assert str(error.value) == "log: 'wandb': No API key configured."


@pytest.mark.parametrize(
    ("log", "library"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")]
)
def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path, log, library):
    monkeypatch.setitem(sys.modules, library, None)
    message = f"log: '{log}': needs {library}, .* use pip install 'repjax.{log}.'"
    with pytest.raises(ConfigError, match=message):
        Curves.of(log, tmp_path)


def test_a_bucket_gets_no_curves(tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    monkeypatch.setattr("repjax.engine.curves.is_local", lambda path: False)
    with pytest.raises(ConfigError, match="log: 'tensorboard' is not allowed with --w"):
        Curves.of("tensorboard", tmp_path)
    assert Curves.of("none", tmp_path) is None


def test_settings_can_be_written_as_json():
    from repjax.engine.curves import _hyper_parameters

    assert json.loads(json.dumps(_hyper_parameters(tiny_cell())))["group"] == "S3"
