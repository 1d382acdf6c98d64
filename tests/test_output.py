"""What a program prints, or cannot, ends no training."""

import io
import os
import subprocess
import sys

import pytest

from repjax.output import Forgiving

LINE = "time left – of χ_ρ(ab), 3 × 4 ━ 漢"
RUN = f"""
from repjax.output import forgiving_output
with forgiving_output():
    for _ in range(20000):
        print({LINE!a})
import sys
sys.__stderr__.write("trained on")
"""


def run(*, shell: str, **environment: str) -> subprocess.CompletedProcess:
    code = [sys.executable, "-c", RUN]
    return subprocess.run(
        ["bash", "-c", shell, "bash", *code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_what_an_encoding_lacks_has_a_stand_in(environment):
    done = run(shell='"$@"', **environment)
    assert done.returncode == 0 and done.stderr == "trained on"
    first = done.stdout.splitlines()[0]
    assert first == "time left - of chi_rho(ab), 3 x 4 = ?"


def test_utf8_is_left_alone():
    done = run(shell='"$@"', PYTHONIOENCODING="utf-8")
    assert done.stdout.splitlines()[0] == LINE


@pytest.mark.parametrize(
    "shell",
    [
        'set -o pipefail; "$@" | head -1',
        pytest.param(
            '"$@" > /dev/full',
            marks=pytest.mark.skipif(
                not os.path.exists("/dev/full"), reason="no /dev/full"
            ),
        ),
    ],
)
def test_a_closed_pipe_or_a_full_disk_is_silent(shell):
    done = run(shell=shell, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "trained on")


def test_other_attributes_are_those_of_the_stream():
    stream = Forgiving(io.StringIO())
    print("a", file=stream)
    assert stream.getvalue() == "a\n" and not stream.isatty()
