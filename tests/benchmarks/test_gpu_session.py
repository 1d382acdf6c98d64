"""The script for a short time on a GPU: what it calls, in which order, until when."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Notes its arguments, and fails where a peer is to be timed.
PYTHON = """#!/usr/bin/env bash
echo "$@" >>"$CALLS"
[[ $* != *train_step* ]]
"""


def session(folder: Path, *arguments: str, **environment: str):
    """Run the script with a stand-in for Python; also return the calls of that."""
    python, calls = folder / "python", folder / "calls"
    python.write_text(PYTHON)
    python.chmod(0o755)
    done = subprocess.run(
        ["benchmarks/gpu_session.sh", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHON": str(python), "CALLS": str(calls)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines() if calls.exists() else []


@pytest.mark.parametrize("arguments", [(), ("out",), ("out", "soon"), ("out", "0")])
def test_bad_arguments_are_refused(tmp_path, arguments):
    done, calls = session(tmp_path, *arguments)
    assert done.returncode == 2 and calls == []
    assert done.stderr == "usage: benchmarks/gpu_session.sh OUT MINUTES\n"


def test_parts_come_in_order_of_worth_and_none_stops_the_next(tmp_path):
    out = tmp_path / "out"
    done, calls = session(tmp_path, str(out), "60")
    assert done.returncode == 0
    lines = (out / "session.log").read_text().splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert names[:3] == [
        "quickstart_cold",
        "quickstart_warm",
        "accelerator_a5-mlp_default",
    ]
    assert names[-1] == "table3_S6_transformer" and len(names) == len(calls) == 26
    failed = [line for line in lines if "exit code 1 " in line]
    assert len(failed) == 3 and all(line.startswith("peers_") for line in failed)
    groups = [
        call.split("groups=")[1].split()[0] for call in calls if "table3.py" in call
    ]
    assert groups == [*(["A5", "C113", "C118", "D59", "D61", "S5"] * 2), "S6", "S6"]
    assert {path.suffix for path in out.iterdir()} == {".log"}


def test_what_would_begin_too_late_is_skipped(tmp_path):
    """Of one minute 40 s are for measuring; peers want 60, S6 120."""
    done, calls = session(tmp_path, str(tmp_path / "out"), "1")
    assert done.returncode == 0 and len(calls) == 19
    assert done.stdout.count("skipped") == 7


def test_a_trial_is_small(tmp_path):
    _, calls = session(tmp_path, str(tmp_path / "out"), "9", SMALL="1")
    assert len(calls) == 4
    assert all("num_steps=20" in call or "--small" in call for call in calls)
