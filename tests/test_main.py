import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl.testing import flagsaver

from repjax import command_line, main

ROOT = Path(__file__).parent.parent
S5 = f"--config={ROOT}/experiments/s5.py"


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls the program in this process: (exit code, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["repjax.main", *arguments])
        saved = flagsaver.save_flag_values(main._FLAGS)
        code = 0
        try:
            command_line.run(main.main, main._FLAGS)
        except SystemExit as stop:
            code = stop.code
        finally:
            flagsaver.restore_flag_values(saved, main._FLAGS)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def trained(monkeypatch):
    """What would have been trained, one entry for every sweep."""
    sweeps: list = []
    monkeypatch.setattr(main, "train", lambda *sweep: sweeps.append(sweep))
    return sweeps


@pytest.fixture
def write(tmp_path):
    """Writes an experiment file and returns the flag that names it."""

    def write(text: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(text)
        return f"--config={path}"

    return write


BAD_FLAGS = [
    ([], "--config: missing; use an experiment such as"),
    (["--config.num_seeds=3"], "--config: missing"),
    (["--config=experiments/nope.py"], "--config=experiments/nope.py: no such file"),
    (["--config=experiments"], "--config=experiments: not an experiment; use"),
    ([S5], "--workdir: missing; use a directory"),
    (
        [S5, "--config.nmu_seeds=3"],
        "--config.nmu_seeds: unknown; did you mean --config.num_seeds?",
    ),
    ([S5, "--config.eps=3"], "--config.eps: unknown; did you mean --config.opt"),
    ([S5, "--config.xyz=3"], "--config.xyz: unknown; use one of task, num_steps"),
    (
        [S5, "--config.optimizer=3"],
        "--config.optimizer: holds several keys; use --config.optim",
    ),
    (
        [S5, "--config.groups[0]=S5"],
        "--config.groups[0]: unknown; did you mean --config.groups?",
    ),
    (
        [S5, "--config.num_seeds=ten"],
        "--config.num_seeds: 'ten' is not allowed; use an i",
    ),
    (
        [S5, "--config.num_seeds=1.5"],
        "--config.num_seeds: '1.5' is not allowed; use an i",
    ),
    ([S5, "--config.num_seeds=0"], "--config.num_seeds: 0 is not allowed; use an i"),
    (
        [S5, "--config.optimizer.eps=x"],
        "--config.optimizer.eps: 'x' is not allowed; use a",
    ),
    (
        [S5, "--config.optimizer.eps=nan"],
        "--config.optimizer.eps: nan is not allowed; use a",
    ),
    (
        [S5, "--config.groups=S5 A5"],
        "--config.groups: 'S5 A5' is not a known group; use C<n>",
    ),
    ([S5, "--config.groups=('S5'"], "--config.groups: '('S5'' is not a known group"),
    (
        [S5, "--config.groups=S5,PSL(2,6)"],
        "--config.groups: 'PSL(2,6)': 6 is not a prime power",
    ),
    (
        [S5, "--config.groups=S5,A7xC7"],
        "--config.groups: 'A7xC7': order 17640 is too large",
    ),
    ([S5, "--config.groups=x/y.perm,S5"], "--config.groups: 'x/y.perm' is not a file"),
    (
        [S5, "--config.groups=Q7"],
        "--config.groups: 'Q7' is not a known group; Q<n> goes from Q8",
    ),
    ([S5, "--config.num_seeds"], "Missing value for flag --config.num_seeds"),
    (["--config.num_seeds=3", S5], "Found --config.num_seeds=3 in argv before a value"),
    ([S5, "--wrokdir=x"], "--wrokdir: unknown; did you mean --workdir?"),
    ([S5, "--xyz=x"], "--xyz: unknown; use one of --config, --workdir, --shard"),
    ([S5, "--dry_run=maybe"], "--dry_run: 'maybe' is not allowed; use true or false"),
    ([S5, "workdir"], "'workdir' is not a flag; use --flag=value\n"),
    ([S5, "--shard=4/4"], "--shard: '4/4' is not allowed; use i/n with 0 <= i < n"),
    ([S5, "--workdir=s3://b/w"], "--workdir: 's3://b/w' is not supported; use a path"),
    ([S5, f"--workdir={__file__}"], f"--workdir: '{__file__}': File exists; use a dir"),
    ([S5, f"--workdir={__file__}/x"], f"--workdir: '{__file__}/x': Not a directory"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_FLAGS)
def test_bad_input_is_one_line_and_exit_code_2(call, trained, arguments, message):
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(f"repjax: {message}")
    assert err.count("\n") == 1
    assert not trained


def http_error():
    """What gcsfs raises where a token has run out, by its module's name."""
    return type("HttpError", (Exception,), {"__module__": "gcsfs.retry"})(
        "Unauthorized"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "F"), "F: No space left on device"),
        (OSError("Forbidden: gs://b/w"), "OSError: Forbidden: gs://b/w"),
        (http_error(), "HttpError: Unauthorized"),
    ],
)
def test_what_the_storage_says_is_one_line(call, monkeypatch, tmp_path, error, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(main, "train", fail)
    code, _, err = call(S5, f"--workdir={tmp_path}")
    expected = (
        f"repjax: {said}; what was saved before is whole: fix this and call again"
    )
    assert (code, err) == (2, f"{expected}\n")


def test_errors_of_the_program_are_not_hidden(call, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "train", lambda *_: [][0])
    with pytest.raises(IndexError):
        call(S5, f"--workdir={tmp_path}")


BAD_FILES = [
    ("def get_config(:\n", "line 1 of "),
    ("x = 1\n", "has no get_config(); use a file that defines one\n"),
    ("\nimport nope\n", "line 2: ModuleNotFoundError: No module named 'nope'"),
    ("def get_config():\n    return 1 / 0\n", "line 2: ZeroDivisionError: division by"),
    (
        "def get_config():\n    raise OSError(2, 'a\\nb')\n",
        "line 2: FileNotFoundError: ",
    ),
    (
        "def get_config():\n    pass\n",
        "get_config() returned NoneType; let it return a",
    ),
    ("def get_config(x):\n    pass\n", "TypeError: get_config() missing 1 required"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES)
def test_errors_in_an_experiment_are_one_line(call, write, text, message):
    flag = write(text)
    code, _, err = call(flag, "--config.num_seeds=3", "--dry_run")
    assert code == 2
    assert err.startswith(f"repjax: {flag}: {message}")
    assert err.count("\n") == 1


START = (
    "from experiments import base\ndef get_config(n=4):\n    c = base.get_config()\n"
)


def test_keys_that_an_experiment_adds_or_lacks(call, write):
    flag = write(START + "    c.num_sedes = 3\n    return c\n")
    _, _, err = call(flag, "--dry_run")
    line = "line 4: num_sedes: unknown; did you mean num_seeds?"
    assert err == f"repjax: {flag}: {line}\n"
    flag = write(START + "    del c.unlock().num_seeds\n    return c\n")
    _, _, err = call(flag, "--dry_run")
    assert err == "repjax: num_seeds: missing; use an integer from 1 to 100000\n"
    code, _, err = call(flag, "--dry_run", "--config.num_seeds=3")
    assert code == 2
    assert err == "repjax: --config: the file has no num_seeds; start from base.py\n"
    flag = write(START + "    del c.unlock().mlp\n    return c\n")
    code, _, err = call(flag, "--dry_run", "--config.mlp.embed_dim=3")
    assert code == 2
    assert err == "repjax: --config: the file has no mlp; start from base.py\n"


def test_typed_in_values_reach_the_cells(call, trained, tmp_path):
    workdir = tmp_path / "deep" / "workdir"
    code, out, err = call(
        S5,
        f"--workdir={workdir}",
        "--config.groups=S3,C7",
        "--config.num_steps=10",
        "--config.overrides=('*/mlp','num_steps',20)",
        "--config.sweep=('optimizer.weight_decay',(0.3,1))",
        "--shard=1/2",
    )
    assert (code, out, err) == (0, "", "")
    ((cells, directory, request),) = trained
    assert directory == workdir
    assert workdir.is_dir()
    assert {cell.group for cell in cells} == {"S3", "C7"}
    assert {cell.num_steps for cell in cells} == {10}
    assert sum(len(cell.seeds) for cell in cells) == 16
    assert request["shard"] == "1/2"
    assert request["config_file"] == S5.removeprefix("--config=")
    assert request["overrides"]["num_steps"] == 10
    assert request["config"]["groups"] == ["S3", "C7"]
    json.dumps(request)


def test_flags_do_not_outlive_a_call(call, trained, tmp_path):
    call(S5, f"--workdir={tmp_path}", "--config.num_steps=10")
    call(S5, f"--workdir={tmp_path}")
    assert [sweep[0][0].num_steps for sweep in trained] == [10, 250_000]
    assert trained[1][2]["overrides"] == {}


def test_the_part_after_a_colon_goes_to_get_config(call, trained, write, tmp_path):
    flag = write(START + "    c.num_seeds = int(n)\n    return c\n")
    call(f"{flag}:7", f"--workdir={tmp_path}")
    assert trained[0][0][0].seeds == tuple(range(1, 8))


def test_experiments_may_share_code_in_any_directory(call, tmp_path):
    folder = tmp_path / "studies_of_mine"
    folder.mkdir()
    (folder / "common.py").write_text("from experiments.base import get_config\n")
    (folder / "one.py").write_text("from studies_of_mine.common import get_config\n")
    path = list(sys.path)
    code, _, err = call(f"--config={folder}/one.py", "--dry_run")
    assert (code, err) == (0, "")
    assert sys.path == path


def test_dry_run_prints_cells_and_needs_no_workdir(call, trained):
    code, out, err = call(S5, "--dry_run")
    assert (code, err) == (0, "")
    assert out.startswith("S5_mlp ")
    assert "2 cells, 8 runs" in out
    assert not trained


def test_one_group_under_two_names_is_said_to_be_one(call, trained):
    """Both train; a line says that they are isomorphic."""
    code, out, _ = call(S5, "--dry_run", "--config.groups=C7:C3,SmallGroup(21,1),S3")
    assert code == 0
    assert "repjax: C7:C3 and SmallGroup(21,1) are the same group, numbered" in out
    for name in ("C7_C3_mlp", "SmallGroup_21_1_mlp", "S3_mlp"):
        assert name in out
    assert not trained


def test_dry_run_says_how_even_the_shards_are(call, trained):
    code, out, _ = call(S5, "--dry_run", "--shard=1/3")
    first, *_, last = out.splitlines()
    assert (code, first) == (0, "shard 1/3:")
    assert re.fullmatch(
        r"3 shards of (\d\.\de\+14 (to|floating-point) ?){2}operations", last
    )


def test_a_shard_without_runs_is_no_error(call, trained, tmp_path):
    code, out, _ = call(S5, f"--workdir={tmp_path}", "--shard=8/9")
    assert (code, out) == (0, "repjax: no run is left for shard 8/9\n")
    assert not trained
    assert json.loads((tmp_path / "manifest.json").read_text())["shard"] == "8/9"


def test_shards_do_not_join_processes(call, trained, tmp_path):
    code, _, err = call(S5, f"--workdir={tmp_path}", "--shard=0/2", "--distributed")
    assert (code, err[:47]) == (2, "repjax: --distributed: not allowed with --shard")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"groups": "S3,C113", "num_seeds": 1},
            "groups: C113 is too large: a run of C113_mlp needs 26 MiB",
        ),
        ({"groups": "S3"}, "num_seeds: 4 runs of S3_mlp need 11 MiB"),
    ],
)
def test_what_the_machine_cannot_hold_is_known_before_anything_is_written(
    call, monkeypatch, tmp_path, flags, message
):
    """A run of S3 needs 6.1 MiB; what comes before C113 is not begun either."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
    monkeypatch.setattr("repjax.engine.placement._memory", lambda device: 9 * 2**20)
    base = f"--config={ROOT}/experiments/base.py"
    settings = (f"--config.{key}={value}" for key, value in flags.items())
    code, out, err = call(base, *settings, f"--workdir={tmp_path}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"repjax: {message}") and "more than 80% of 9 MiB" in err
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_to(call, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    code, _, err = call(S5, f"--workdir={tmp_path}")
    assert code == 2
    assert err == f"repjax: --workdir: '{tmp_path}' is read-only; use a writable one\n"


def test_help_shows_every_flag(call):
    code, out, err = call("--help")
    assert (code, err) == (0, "")
    for flag in ("config", "workdir", "shard", "dry_run", "distributed"):
        assert f"{flag}: " in out


def run_program(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repjax.main", *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_as_a_program_from_the_repository():
    done = run_program(ROOT, "--config=experiments/s5.py", "--config.nmu_seeds=3")
    assert done.returncode == 2
    assert done.stderr == (
        "repjax: --config.nmu_seeds: unknown; did you mean --config.num_seeds?\n"
    )


def test_as_a_program_from_another_directory(tmp_path):
    done = run_program(tmp_path, S5, "--dry_run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 cells, 8 runs" in done.stdout


def test_errors_do_not_wait_for_jax():
    code = (
        "import sys, repjax.main as m; sys.argv[1:] = ['--config=x.py']\n"
        "try: m.command_line.run(m.main, m._FLAGS)\n"
        "except SystemExit: print('jax' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "False\n"
