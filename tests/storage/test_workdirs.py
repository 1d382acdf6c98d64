"""Directories that are no workdirs are told apart."""

from pathlib import Path

import pytest

from repjax.settings.rules import ConfigError
from repjax.storage.workdirs import cell_directories


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two workdirs in a folder, and what else a person may name."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/S3_mlp", "a/S4_mlp", "b/S3_mlp", "empty"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "empty":
            (tmp_path / "runs" / name / "config.json").write_text("{}")
    (tmp_path / "text").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "does not exist; use a directory that was trained in"),
        ("text", "is not a directory; use one that was trained in"),
        ("runs", "holds workdirs; use one of runs/a, runs/b"),
        ("runs/a/S3_mlp", "is a cell of runs/a; use that directory"),
        ("runs/empty", "holds no cells; use a directory that was trained in"),
    ],
)
def test_what_is_no_workdir(runs, name, said):
    with pytest.raises(ConfigError) as error:
        cell_directories([Path(name)])
    assert str(error.value) == f"--workdir: '{name}' {said}"


def test_the_argument_is_that_of_the_caller(runs):
    with pytest.raises(ConfigError, match=r"^workdir: 'runs' holds workdirs"):
        cell_directories([Path("runs")], "workdir")


def test_cells_come_by_name(runs):
    found = cell_directories([runs / "runs" / "b", runs / "runs" / "a"])
    assert [path.name for path in found] == ["S3_mlp", "S3_mlp", "S4_mlp"]
