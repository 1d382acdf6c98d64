"""The command `repjax` runs the programs of the package and nothing else."""

import contextlib
import fcntl
import importlib.util
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from repjax import __main__ as command
from repjax import __version__

ROOT = Path(__file__).parent.parent


def call(*arguments: str, module="repjax", **options) -> subprocess.CompletedProcess:
    """The command in a process of its own, from the repository."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        **{"cwd": ROOT, "capture_output": True, "text": True, "check": False} | options,
    )


@pytest.fixture
def run(capsys):
    """Runs what needs no program in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        return command._run(arguments), *capsys.readouterr()

    return run


def test_help_lists_each_command_in_a_line(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert out == run()[1] == run("help")[1]
    assert max(map(len, out.splitlines())) <= 80
    listed = re.findall(r"^  (\w+)  +\S", out, re.MULTILINE)
    wanted = ["train", "table3", "report", "groups", "published", "export", "dataset"]
    assert listed == [*command.COMMANDS] == wanted


def test_version(run):
    assert run("--version") == (0, f"repjax {__version__}\n", "")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("trian", "did you mean train?"),
        ("zzz", "use train, table3, "),
        ("--flag", "use"),
    ],
)
def test_an_unknown_command_is_one_line(run, name, hint):
    code, out, err = run(name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"repjax: '{name}' is not a command; {hint}")


@pytest.mark.parametrize("name", [*command.COMMANDS])
def test_each_command_is_a_program_of_the_package(name):
    module = command.COMMANDS[name][0]
    if name == "dataset" and importlib.util.find_spec(module) is None:
        pytest.skip("repjax.dataset is still to come")
    spec = importlib.util.find_spec(module)
    if spec.submodule_search_locations:
        spec = importlib.util.find_spec(f"{module}.__main__")
    assert '__name__ == "__main__"' in Path(spec.origin).read_text()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["S3", "--json"], 0), (["S3", "--jso"], 2)]
)
def test_a_command_is_its_module(arguments, code):
    ours = call("groups", *arguments)
    theirs = call(*arguments, module="repjax.groups")
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        theirs.returncode,
        theirs.stdout,
        theirs.stderr,
    )
    assert ours.returncode == code


def test_help_of_a_command_is_that_of_its_program():
    done = call("train", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "repjax train --config=" in done.stdout and "--[no]dry_run" in done.stdout


def test_a_reader_that_leaves_is_no_error():
    """As `repjax groups … | head -1`."""
    program = f"'{sys.executable}' -m repjax groups --list=16"
    line = f"{program} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_an_interrupt_at_any_time_is_one_line(seconds):
    """During the imports, too: these take most of the first second."""
    arguments = ["train", "--config=s6", "--dry_run"]
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "repjax", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen = []
    for line in process.stderr:  # our own code has begun: Python's start is not ours
        seen.append(line)
        if "repjax.output" in line:
            break
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    said = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert process.returncode in (0, 75)
    assert said == (
        ["repjax: interrupted; call again to go on"] if process.returncode else []
    )


IN_TERMINAL = (  # so that Ctrl-C there is a signal here
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def test_ctrl_c_while_training_on_a_narrow_terminal_without_colour(tmp_path):
    """The display ends, the cursor is back, a line says how to go on; code 75."""
    terminal, inside = pty.openpty()
    size = struct.pack("HHHH", 24, 50, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    flags = ["--config=base", "--config.groups=S3", "--config.num_seeds=1"]
    flags += ["--config.mlp.embed_dim=8", "--config.mlp.hidden_dim=8"]
    program = [sys.executable, "-m", "repjax", "train", *flags]
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *program, f"--workdir={tmp_path}"],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1", "TERM": "xterm", "JAX_NUM_CPU_DEVICES": "1"},
        start_new_session=True,
    )
    os.close(inside)
    shown, asked = b"", False
    with contextlib.suppress(OSError):  # the terminal is closed
        while data := os.read(terminal, 2**16):
            shown += data
            if not asked and b"train loss" in shown:
                os.write(terminal, b"\x03")
                asked = True
    os.close(terminal)
    text = shown.decode()
    assert process.wait() == 75, text[-2000:]
    *_, last = text.split("\x1b[?25h")
    assert re.search(r"repjax: stopped at step \d+ of S3_mlp; call again", last)
    assert "repjax: stopping after this chunk of steps; " in text
    assert "Traceback" not in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
