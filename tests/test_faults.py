"""The scripts in tests/faults, with small counts; docs/faults.md has the full ones."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.faults import damage, kills, signals
from tests.faults.program import Sweep

SMALL = {"groups": "S3", "architectures": "mlp", "num_steps": 4_000}


def test_kills(tmp_path):
    """Of a round of two cells."""
    joint = SMALL | {"groups": "S3,C6"}
    report = kills.run(Sweep(tmp_path, **joint), count=3, seed=1)
    assert report.verdict == "3 kills, 0 lost, identical"


def test_signals(tmp_path):
    sweep = Sweep(tmp_path, every_seconds=3600.0, max_chunk_seconds=0.5, **SMALL)
    report = signals.run(sweep, count=2, seed=0)
    assert (report.wrong_exits, report.lost, report.different) == (0, 0, 0)
    assert max(report.reactions) < 60.0  # a machine may be busy


@pytest.mark.parametrize("groups", ["S3", "S3,C6"])
def test_damage(tmp_path, groups):
    report = damage.run(Sweep(tmp_path, **SMALL | {"groups": groups}), count=1, seed=0)
    assert report == damage.Report(done=2)


@pytest.mark.parametrize("script", ["kills", "signals", "damage"])
def test_script_says_what_it_does(script):
    path = REPOSITORY / "tests" / "faults" / f"{script}.py"
    done = subprocess.run(
        [sys.executable, path, "--help"], capture_output=True, text=True, check=True
    )
    assert "--count" in done.stdout
