"""The command `repjax` runs the programs of the package and nothing else."""

import importlib.util
import re
import signal
import subprocess
import sys
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
