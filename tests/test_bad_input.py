"""Bad input to every program: one line, exit code 2, nothing written, nothing lost."""

import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from experiments import base
from repjax import export, main, published, table3
from repjax.engine.forecast import describe
from repjax.engine.schedule import evaluation_steps
from repjax.settings.config import Config, flatten, parse, rules_of
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import expand
from tests.conftest import REPOSITORY
from tests.faults.program import Sweep
from tests.programs import call

S3 = (f"--config={REPOSITORY}/experiments/base.py", "--config.groups=S3")
LATIN = np.array([[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1],
                  [4, 3, 1, 2, 0]])  # fmt: skip


class RunsCode:
    """Unpickled, it writes a file."""

    def __reduce__(self):
        return Path.touch, (Path("code-was-run"),)


def write_files(folder: Path) -> None:
    """What the inputs below name."""
    np.save(folder / "loop.npy", LATIN)  # a Latin square with identity and inverses
    np.save(folder / "minus.npy", (np.arange(3)[:, None] - np.arange(3)) % 3)
    np.save(folder / "floats.npy", np.full((3, 3), 0.5))
    np.save(folder / "wide.npy", np.zeros((2, 3), int))
    np.save(folder / "cube.npy", np.zeros((2, 2, 2), int))
    np.save(folder / "code.npy", np.array([RunsCode()]), allow_pickle=True)
    whole = (folder / "loop.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[:-7])
    claim = whole.replace(b"(5, 5), ", b"(9999999, 9999999), ".ljust(8))
    (folder / "claims_much.npy").write_bytes(claim[:-12])
    (folder / "no_header.npy").write_bytes(b"\x93NUMPY")
    (folder / "pickle.npy").write_bytes(pickle.dumps(RunsCode()))
    (folder / "folder.npy").mkdir()
    (folder / "empty.csv").write_text("")
    (folder / "words.txt").write_text("e a\na b\n")
    (folder / "ragged.csv").write_text("0,1\n1\n")
    (folder / "too_large.csv").write_text("0,1\n1,7\n")
    (folder / "negative.csv").write_text("0,-1\n-1,0\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "v4.csv").write_text("0,1\n1,0\n")
    (folder / "other").mkdir()
    (folder / "other" / "v4.csv").write_text("0,1\n1,0\n")
    (folder / "text").write_text("not a folder")
    (folder / "empty").mkdir()
    (folder / "broken.py").write_text("def get_config(:\n")
    (folder / "raises.py").write_text("def get_config():\n    return {}['x']\n")
    (folder / "nothing.py").write_text("x = 1\n")


MAIN = [
    ("num_seeds=0", "num_seeds: 0 is not allowed; use an integer from 1"),
    ("num_seeds=1.5", "num_seeds: '1.5' is not allowed; use an integer"),
    ("num_seeds=ten", "num_seeds: 'ten' is not allowed; use an integer"),
    ("num_seeds=1000000000000", "num_seeds: 1000000000000 is not allowed; use an int"),
    ("num_steps=0", "num_steps: 0 is not allowed; use an integer from 1"),
    ("num_steps=2147483648", "num_steps: 2147483648 is not allowed"),
    (f"num_steps={'9' * 300}", "num_steps: 9999"),
    ("first_seed=-1", "first_seed: -1 is not allowed"),
    ("first_seed=2147483647", "first_seed: 2147483647 is not allowed with num_seeds 4"),
    ("train_fraction=0", "train_fraction: 0.0 is not allowed; use a number above 0"),
    ("train_fraction=1.1", "train_fraction: 1.1 is not allowed; use a number above 0"),
    ("train_fraction=nan", "train_fraction: nan is not allowed"),
    ("train_fraction=1e-9", "train_fraction: 1e-09 of the 36 pairs of S3"),
    ("optimizer.learning_rate=0", "optimizer.learning_rate: 0.0 is not allowed"),
    ("optimizer.learning_rate=inf", "optimizer.learning_rate: inf is not allowed"),
    ("optimizer.learning_rate=fast", "optimizer.learning_rate: 'fast' is not"),
    ("optimizer.weight_decay=-1", "optimizer.weight_decay: -1.0 is not allowed"),
    ("optimizer.beta1=1", "optimizer.beta1: 1.0 is not allowed"),
    ("optimizer.eps=0", "optimizer.eps: 0.0 is not allowed"),
    ("optimizer.momentum=1", "optimizer.momentum: unknown"),
    ("optimizer=1", "optimizer: holds several keys"),
    ("mlp.hidden_dim=0", "mlp.hidden_dim: 0 is not allowed"),
    ("mlp.hidden_dim=10000000000", "mlp.hidden_dim: 10000000000 is not allowed"),
    ("transformer.init_scale=-1", "transformer.init_scale: -1.0 is not allowed"),
    ("evaluation.num_evaluations=1", "evaluation.num_evaluations: 1 is not allowed"),
    ("evaluation.num_evaluations=1000000000", "evaluation.num_evaluations: 10000000"),
    ("checkpoint.keep=1", "checkpoint.keep: 1 is not allowed; use an integer, at"),
    ("checkpoint.every_seconds=-1", "checkpoint.every_seconds: -1.0 is not allowed"),
    ("max_chunk_seconds=0", "max_chunk_seconds: 0.0 is not allowed"),
    ("matmul_precision=fp8", "matmul_precision: 'fp8' is not allowed; use one of"),
    ("task=a*c", "task: 'a*c' is not a word in a, b"),
    ("task=a**b", "task: 'a**b' is not a word in a, b"),
    ("task=", "task: '' is not allowed"),
    ("architectures=mpl", "architectures: ('mpl',) is not allowed"),
    ("nmu_seeds=3", "nmu_seeds: unknown; did you mean --config.num_seeds"),
    ("overrides=('S3/mpl','num_steps',3)", "overrides: 'S3/mpl' matches no cell"),
    ("overrides=('*/mlp','nmu',3)", "overrides: nmu: unknown"),
    ("overrides=((", "overrides: ('((',) is not allowed"),
    ("sweep=('num_seeds',(1,2))", "sweep: num_seeds: unknown"),
    ("sweep=('optimizer.eps',())", "sweep: optimizer.eps: (); use one or more values"),
    ("sweep=(3,)", "sweep: (3,) is not allowed; use pairs"),
    ("groups=Q7", "groups: 'Q7' is not a known group"),
    ("groups=S8", "groups: 'S8' is not a known group"),
    ("groups=C0", "groups: 'C0' is not a known group"),
    ("groups=C99999", "groups: 'C99999' is not a known group"),
    (f"groups=C{'9' * 5000}", "groups: 'C999"),
    ("groups=D2", "groups: 'D2' is not a known group"),
    ("groups=", "groups: ('',) is not allowed"),
    ("groups=S3,S3", "groups: ('S3', 'S3') is not allowed; use one or more groups"),
    ("groups=absent.npy", "groups: 'absent.npy' is not a file"),
    ("groups=folder.npy", "groups: 'folder.npy' is not a file"),
    (f"groups={'x' * 300}.npy", ""),
    ("groups=loop.npy", "groups: 'loop.npy' is not a table of a group: "),
    ("groups=minus.npy", "groups: 'minus.npy' is not a table of a group: "),
    ("groups=floats.npy", "groups: 'floats.npy' is not a table of a group: "),
    ("groups=wide.npy", "groups: 'wide.npy' is not a table of a group: "),
    ("groups=cube.npy", "groups: 'cube.npy' is not a table of a group: "),
    ("groups=code.npy", "groups: 'code.npy' is not a table of a group: "),
    ("groups=pickle.npy", "groups: 'pickle.npy' is not a table of a group: "),
    ("groups=cut.npy", "groups: 'cut.npy' is not a table of a group: "),
    ("groups=claims_much.npy", "groups: 'claims_much.npy' is not a table of a group"),
    ("groups=no_header.npy", "groups: 'no_header.npy' is not a table of a group: "),
    ("groups=empty.csv", "groups: 'empty.csv' is not a table of a group: it is empty"),
    ("groups=words.txt", "groups: 'words.txt' is not a table of a group: "),
    ("groups=ragged.csv", "groups: 'ragged.csv' is not a table of a group: "),
    ("groups=too_large.csv", "groups: 'too_large.csv' is not a table of a group: line"),
    ("groups=negative.csv", "groups: 'negative.csv' is not a table of a group: line 1"),
    ("groups=binary.csv", "groups: 'binary.csv' is not a table of a group: "),
    ("groups=v4.csv,other/v4.csv", "groups: 'v4.csv' and 'other/v4.csv' would share"),
]

F = "--out=f.safetensors"
FLAGS = [
    (main, [], "--config: missing"),
    (main, ["--config=absent.py"], "--config=absent.py: no such file"),
    (main, ["--config=empty"], "--config=empty: not an experiment; use"),
    (main, ["--config=text"], "--config=text: not an experiment; use"),
    (main, ["--config=broken.py"], "--config=broken.py: line 1 of "),
    (main, ["--config=raises.py"], "--config=raises.py: line 2: KeyError"),
    (main, ["--config=nothing.py"], "--config=nothing.py: has no get_config()"),
    (main, [*S3], "--workdir: missing"),
    (main, [*S3, "--workdir="], "--workdir: missing"),
    (main, [*S3, "--workdir=text"], "--workdir: 'text': File exists"),
    (main, [*S3, "--workdir=text/x"], "--workdir: 'text/x': Not a directory"),
    (main, [*S3, f"--workdir={'x' * 300}"], "--workdir: 'xxx"),
    (main, [*S3, "--workdir=new", "--shard=4/4"], "--shard: '4/4' is not allowed"),
    (main, [*S3, "--workdir=new", "--shard=-1/2"], "--shard: '-1/2' is not allowed"),
    (main, [*S3, "--workdir=new", "--shard=1"], "--shard: '1' is not allowed"),
    (main, [*S3, "--wrokdir=new"], "--wrokdir: unknown; did you mean --work"),
    (main, [*S3, "new"], "'new' is not a flag"),
    (main, [*S3, "--dry_run=maybe"], "--dry_run: 'maybe' is not allowed"),
    (table3, [], "--workdir: missing"),
    (table3, ["--workdir=absent"], "--workdir: 'absent' does not exist"),
    (table3, ["--workdir=empty"], "--workdir: 'empty' holds no cells"),
    (table3, ["--workdir=text"], "--workdir: 'text' is not a directory"),
    (table3, ["--wrokdir=x"], "--wrokdir: unknown"),
    (table3, ["--workdir=trained", "--out=text"], "--out: 'text': File exists"),
    (table3, ["--workdir=trained", "--out=text/x"], "--out: 'text/x': Not a directory"),
    (table3, ["--workdir=trained"] * 2, "--workdir: S3_mlp with seed 1 is both in tra"),
    (export, [], "--workdir: missing"),
    (export, ["--workdir=trained"], "--run: missing"),
    (export, ["--workdir=trained", "--run=S3_mlp/1"], "--out: missing"),
    (export, ["--workdir=trained", "--run=x/1", F], "--run: 'x/1' names no c"),
    (export, ["--workdir=trained", "--run=1", F], "--run: '1' names no cell"),
    (export, ["--workdir=trained", "--run=S3_mlp/x", F], "--run: 'S3_mlp/x'"),
    (
        export,
        ["--workdir=trained", "--run=S3_mlp/1", "--out=n.pt"],
        "--out: 'n.pt' is not",
    ),
    (
        export,
        ["--workdir=trained", "--run=S3_mlp/1", "--out=text/f.safetensors"],
        "--out: 'te",
    ),
    (published, [], "RUN_DIR: missing"),
    (published, ["empty"], "--workdir: missing"),
    (published, ["empty", "--wrokdir=x"], "--wrokdir: unknown"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir with one cell of three runs."""
    sweep = Sweep(
        tmp_path_factory.mktemp("trained"), "S3", num_steps=5, architectures="mlp"
    )
    assert call(main, *sweep.flags("trained")) == 0
    return sweep.workdir("trained")


@pytest.fixture
def place(tmp_path, trained, monkeypatch):
    """The current directory: a folder with all of that, and a copy of the workdir."""
    write_files(tmp_path)
    shutil.copytree(trained, tmp_path / "trained")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    """Path → digest of every file and folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in folder.rglob("*")
        if path.name not in (".lock", "__pycache__")
    }


def refused(place: Path, capsys, program, *arguments) -> str:
    """The line on stderr, after checking that there is nothing else to see."""
    before = contents(place)
    capsys.readouterr()
    assert call(program, *arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("repjax: ") and err.count("\n") == 1, err
    assert out == ""
    assert contents(place) == before
    return err.removeprefix("repjax: ")


@pytest.mark.parametrize(("setting", "message"), MAIN, ids=lambda text: text[:40])
def test_setting(place, capsys, setting, message):
    group = [] if setting.startswith("groups") else S3[1:]  # named twice, both count
    flags = [S3[0], *group, f"--config.{setting}", "--workdir=new"]
    line = refused(place, capsys, main, *flags)
    assert line.startswith(f"--config.{message}")


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    FLAGS,
    ids=[f"{program.__name__[7:]}: {message[:40]}" for program, _, message in FLAGS],
)
def test_flag(place, capsys, program, arguments, message):
    assert refused(place, capsys, program, *arguments).startswith(message)


@pytest.mark.skipif(bool(importlib.util.find_spec("gcsfs")), reason="gcsfs is there")
@pytest.mark.parametrize("program", [main, table3])
def test_bucket_without_the_extra(place, program):
    """As a user calls it: epath's paths are none of pathlib's to the type checks."""
    arguments = [*S3] if program is main else ["--workdir=trained"]
    flag = "workdir" if program is main else "out"
    done = subprocess.run(
        [sys.executable, "-m", program.__name__, *arguments, f"--{flag}=gs://bucket/x"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"repjax: --{flag}: 'gs://bucket/x' is in a bucket")
    assert done.stderr.count("\n") == 1


DAMAGE = [
    ("S3_mlp/config.json", b'{"group": "S3"', "not readable JSON"),
    ("S3_mlp/config.json", b"", "not readable JSON"),
    ("S3_mlp/config.json", b"\xff\xfe\x00", "not readable JSON"),
    ("S3_mlp/config.json", b"[1]", "S3_mlp"),
    ("S3_mlp/config.json", b"{}", "S3_mlp"),
    ("manifest.json", b'{"cells"', "manifest.json: not readable JSON"),
    ("manifest.json", b"[]", "manifest.json: not a manifest"),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGE)
@pytest.mark.parametrize("program", [main, table3, export])
def test_damaged_file_in_a_workdir(place, capsys, program, name, content, message):
    """What is in a manifest matters to `main` alone, which would write over it."""
    (place / "trained" / name).write_bytes(content)
    flags = {
        main: Sweep(place, "S3", num_steps=5, architectures="mlp").flags("trained"),
        table3: ["--workdir=trained"],
        export: ["--workdir=trained", "--run=S3_mlp/1", "--out=new.safetensors"],
    }
    if name == "manifest.json" and program is not main:
        assert call(program, *flags[program]) == 0
        return
    assert message in refused(place, capsys, program, *flags[program])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "Q7"}, "'Q7' is not a known group"),
        ({"colour": 1}, "colour: unknown"),
        ({"seeds": [1, 1]}, "seeds: [1, 1] is not allowed"),
        ({"num_steps": 6}, "no cell in trained is trained to the end"),
    ],
)
def test_foreign_settings_in_a_workdir(place, capsys, change, message):
    path = place / "trained" / "S3_mlp" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    before = contents(place)
    assert call(table3, "--workdir=trained") == 2
    err = capsys.readouterr().err
    assert message in err and all(
        line.startswith("repjax: ") for line in err.splitlines()
    )
    assert contents(place) == before


def test_export_of_a_cell_without_checkpoint(place, capsys):
    shutil.rmtree(place / "trained" / "S3_mlp" / "checkpoints")
    arguments = ["--workdir=trained", "--run=S3_mlp/1", "--out=new.safetensors"]
    assert "has no checkpoint yet" in refused(place, capsys, export, *arguments)


def test_weights_that_would_run_code(place, capsys):
    pytest.importorskip("torch")
    run = place / "run"
    run.mkdir()
    cfg = {
        "lr": 0.001, "weight_decay": 1, "betas": [0.9, 0.98], "model": "OneLayerMLP",
        "layers": {"embed_dim": 8, "hidden_dim": 8}, "group": "SymmetricGroup",
        "group_parameter": 3, "frac_train": 0.4, "seed": 2, "num_epochs": 300,
    }  # fmt: skip
    (run / "cfg.json").write_text(json.dumps(cfg))
    (run / "model.pt").write_bytes(pickle.dumps({"W_x": RunsCode()}))
    before = contents(place)
    assert call(published, run, "--workdir=new") == 2
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"repjax: {run}: model.pt: not a readable PyTorch state")
    assert last == "repjax: 1 of 1 runs were not imported"
    assert contents(place) == before, "no code was run and nothing written"


NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([0, 1, 2, -1, 2**31 - 1, 2**31, 2**63, 10**400, 100_000, 100_001]),
    st.floats(),
    st.sampled_from([0.0, 1.0, 1e-320, 1e308, -0.0, 1 - 1e-16]),
)
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["S3", "C7", "mlp", "*/mlp", "optimizer.eps", "num_seeds", "a*b"]),
)
VALUES = st.recursive(
    st.one_of(NUMBERS, WORDS, st.none(), st.booleans(), st.binary(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.tuples(WORDS, WORDS, inner),
        st.dictionaries(st.text(max_size=5), inner, max_size=2),
    ),
    max_leaves=8,
)
CHANGES = st.dictionaries(st.sampled_from(sorted(rules_of(Config))), VALUES, max_size=3)


@hypothesis.settings(deadline=None, max_examples=300, derandomize=True)
@hypothesis.given(CHANGES)
def test_no_value_ends_in_a_traceback(changes):
    """Of any type, for any key, alone and with others: cells, or one clear error."""
    values = flatten(base.get_config().to_dict()) | {"groups": ("S3",)} | changes
    try:
        cells = expand(parse(Config, values))
    except ConfigError as error:
        assert str(error)
        return
    describe(cells)
    for cell in cells:
        evaluation_steps(cell.num_steps, cell.evaluation.num_evaluations)


@hypothesis.settings(
    deadline=None,
    max_examples=100,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    st.sampled_from(sorted(rules_of(Config))),
    st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=20), VALUES.map(repr)
    ),
)
def test_nothing_typed_in_ends_in_a_traceback(capsys, key, text):
    code = call(main, *S3, f"--config.{key}={text}", "--dry_run")
    err = capsys.readouterr().err
    assert code in (0, 2)
    assert (err.count("\n") == 1 and err.startswith("repjax: ")) == (code == 2)
