"""The wheel, installed outside the repository, does what the repository does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repjax import __version__

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has put the wheel, and nothing else."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "-d", folder], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob(f"repjax-{__version__}-py3-none-any.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index"]
    install += ["--disable-pip-version-check", "--target", folder / "site", wheel]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def call(installed, tmp_path):
    """Runs a program in an empty folder, with the installed package first."""

    def call(*command: object) -> str:
        environment = os.environ | {"PYTHONPATH": str(installed)}
        done = subprocess.run(
            [*map(str, command)], cwd=tmp_path, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    return call


def test_the_command_is_that_of_the_wheel(installed, call):
    assert call(installed / "bin" / "repjax", "--version") == f"repjax {__version__}\n"
    where = call(sys.executable, "-c", "import repjax; print(repjax.__file__)")
    assert Path(where.strip()).parent == installed / "repjax"
    assert (installed / "repjax" / "py.typed").exists()
    assert not (installed / "experiments").exists()


def test_experiments_are_found_by_name(installed, call):
    out = call(
        installed / "bin" / "repjax", "train", "--config=quickstart", "--dry_run"
    )
    assert "D12_mlp" in out and "2 cells, 8 runs" in out


def test_a_file_of_ones_own_starts_from_the_defaults(installed, call, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from experiments import base\n"
        "def get_config():\n"
        "    config = base.get_config()\n"
        "    config.groups = ('S4',)\n"
        "    return config\n"
    )
    out = call(installed / "bin" / "repjax", "train", "--config=mine.py", "--dry_run")
    assert out.startswith("S4_mlp")


def test_experiments_are_those_of_the_repository(installed):
    ours = {f.name: f.read_bytes() for f in (ROOT / "experiments").glob("*.py")}
    files = (installed / "repjax" / "experiments").iterdir()
    theirs = {f.name: f.read_bytes() for f in files if f.suffix == ".py"}
    assert theirs == ours
