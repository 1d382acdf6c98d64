"""What every command shares: flags, help, signals before there is anything to save."""

import subprocess
import sys

import pytest

from repjax import command_line, main, table3
from repjax.command_line import remove_empty_directories, usable_directory
from tests.programs import call


def told(capsys, program, *arguments) -> str:
    """The one line on stderr of a call that is refused."""
    capsys.readouterr()
    assert call(program, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err.removeprefix("repjax: ").rstrip("\n")


QUICK = "--config=quickstart"


@pytest.mark.parametrize(
    ("program", "arguments", "hint"),
    [
        (main, ["quickstart"], "did you mean --config=quickstart?"),
        (main, ["quikstart"], "did you mean --config=quikstart?"),
        (main, ["small_groups:8"], "did you mean --config=small_groups:8?"),
        (main, ["mine.py"], "did you mean --config=mine.py?"),
        (main, [QUICK, "."], "did you mean --workdir=.?"),
        (main, [QUICK, "zzz"], "use --flag=value"),
        (table3, ["."], "did you mean --workdir=.?"),
        (table3, ["quickstart"], "use --flag=value"),
    ],
)
def test_an_argument_without_its_flag(capsys, program, arguments, hint):
    line = told(capsys, program, *arguments)
    assert line == f"'{arguments[-1]}' is not a flag; {hint}"


def test_errors_name_the_flag_that_was_typed(capsys, tmp_path):
    """Those of the file name its key."""
    shown = "num_steps: -5 is not allowed; use an integer from 1 to 2147483647"
    assert told(capsys, main, QUICK, "--config.num_steps=-5") == f"--config.{shown}"
    (tmp_path / "mine.py").write_text(
        "from experiments import base\n"
        "def get_config():\n"
        "    config = base.get_config()\n"
        "    config.num_steps = -5\n"
        "    return config\n"
    )
    flags = f"--config={tmp_path}/mine.py", "--config.num_seeds=3"
    assert told(capsys, main, *flags) == shown


def test_an_override_that_is_typed_in_applies_to_some_cell(capsys):
    """One of the file may be for a group that is left out."""
    override = "--config.overrides=(('D13/*','num_steps',3),('A5/*','num_steps',3))"
    assert told(capsys, main, QUICK, override) == (
        "--config.overrides: 'D13/*' matches no cell; the cells are D12/mlp, A5/mlp"
    )
    assert call(main, QUICK, "--config.groups=D12", "--dry_run") == 0
    table = "--config=table3", "--config.groups=C7", "--config.architectures=mlp"
    assert call(main, *table, "--dry_run") == 0


def test_a_refused_call_leaves_no_directory(capsys, tmp_path, monkeypatch):
    """Whether it is refused before or after the directory is made."""
    new = tmp_path / "new" / "workdir"
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = told(capsys, main, QUICK, "--config.log=wandb", f"--workdir={new}")
    assert line.startswith("log: 'wandb': needs wandb, which is not installed")
    assert not [*tmp_path.iterdir()]
    assert usable_directory("--workdir", str(new)).is_dir()
    remove_empty_directories()
    assert not [*tmp_path.iterdir()]
    (usable_directory("--workdir", str(new)) / "kept").touch()
    remove_empty_directories()
    assert (new / "kept").exists()


def helped(*command) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_help_is_of_the_command_as_it_was_typed():
    """Without absl's own flags, and without paths of the installation."""
    ours, theirs = helped("repjax", "table3"), helped("repjax.table3")
    assert "\nrepjax table3 --workdir=DIR" in ours and "python -m" not in ours
    assert theirs == ours.replace("\nrepjax table3", "\npython -m repjax.table3")
    _, workdir, *others = ours.partition("flags:\n")[2].split("  --")
    assert workdir.endswith("give several to merge them.\n")
    assert others == [
        "out: Directory of the tables; the first workdir if not given.\n",
        "[no]help: Show this.\n",
    ]


def test_help_lists_experiments_and_settings():
    shown = " ".join(command_line._help("", main._FLAGS).split())
    assert "one of a5, base, c113," in shown and "optimizer.weight_decay," in shown


IN_AN_IMPORT = "exec('import os, signal; os.kill(os.getpid(), signal.{})')"
IN_A_COLLECTION = (
    "import gc, os, signal; gc.callbacks.append("
    "lambda *_: os.kill(os.getpid(), signal.{})); gc.collect(); print('it goes on')"
)


BESIDE_A_TIMER = "import threading; threading.Timer(99, print).start(); " + IN_AN_IMPORT


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("where", [IN_AN_IMPORT, IN_A_COLLECTION, BESIDE_A_TIMER])
def test_a_signal_before_training_is_exit_code_75(number, where):
    """Also within an import, in a callback, and beside a thread that goes on.

    Python keeps the exception of an `exec`, drops that of a callback, and waits for
    threads: jax starts one that takes a minute.
    """
    code = (
        "import sys, repjax.main as m\n"
        f"def stop(): {where.format(number)}\n"
        "m.command_line.run(stop, m._FLAGS)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 75
    assert done.stderr == "repjax: interrupted; call again to go on\n"
    assert done.stdout == ""


def test_a_stopped_training_ends_without_what_is_still_compiled(tmp_path):
    """A thread of 99 s stands for a program that is being compiled."""
    code = (
        "import runpy, sys, threading, repjax.sweep\n"
        "from repjax.engine.train import Stopped\n"
        "def stop(*_, **__):\n"
        "    threading.Timer(99, print).start()\n"
        "    raise Stopped('stopped at step 3')\n"
        "repjax.sweep.train_cells = stop\n"
        f"sys.argv[1:] = '--config=quickstart', '--workdir={tmp_path}'\n"
        "runpy.run_module('repjax.main', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 75
    assert done.stderr == "repjax: stopped at step 3; call again to go on\n"
