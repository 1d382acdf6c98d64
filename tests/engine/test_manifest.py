"""Which commit made the numbers."""

import shutil
import subprocess
from pathlib import Path

from repjax.engine import manifest


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True
    )


def installed(folder: Path, monkeypatch) -> Path:
    """A copy of the module somewhere in a repository of the user's."""
    git(folder, "init")
    package = folder / ".venv" / "repjax" / "engine"
    package.mkdir(parents=True)
    copy = shutil.copy(manifest.__file__, package / "manifest.py")
    (folder / "own.txt").write_text("theirs")
    git(folder, "add", "own.txt")
    git(folder, "commit", "-m", "theirs")
    monkeypatch.setattr(manifest, "__file__", str(copy))
    monkeypatch.delenv("REPJAX_COMMIT", raising=False)
    return folder


def test_another_projects_commit_is_not_ours(tmp_path, monkeypatch):
    installed(tmp_path, monkeypatch)
    assert manifest.commit() == "unknown"
    monkeypatch.setenv("REPJAX_COMMIT", "1234")
    assert manifest.commit() == "1234"


def test_a_wheel_carries_its_commit(tmp_path, monkeypatch):
    """As hatch_build.py puts it beside the package's other files."""
    installed(tmp_path, monkeypatch)
    (tmp_path / "commit.txt").write_text("5678")
    monkeypatch.setattr(manifest, "files", lambda _: tmp_path)
    assert manifest.commit() == "5678"
    monkeypatch.setenv("REPJAX_COMMIT", "1234")
    assert manifest.commit() == "1234"


def test_the_commit_of_a_repository_that_tracks_it(tmp_path, monkeypatch):
    folder = installed(tmp_path, monkeypatch)
    git(folder, "add", "-f", ".venv/repjax/engine/manifest.py")
    git(folder, "commit", "-m", "ours")
    assert len(manifest.commit()) == 40
    (folder / "own.txt").write_text("changed")
    assert manifest.commit().endswith("-dirty")
