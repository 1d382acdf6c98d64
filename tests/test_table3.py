import csv
import shutil
import sys
from pathlib import Path

import pytest
from absl.testing import flagsaver

from repjax import command_line, main, table3
from repjax.report.seeds import COLUMNS, write_seeds
from repjax.results import CellResults

ROOT = Path(__file__).parent.parent
TABLES = ("seeds.csv", "table3.csv", "table3.md", "table3.tex")
TINY = (
    f"--config={ROOT}/experiments/quickstart.py",
    "--config.groups=S3,C5",
    "--config.num_seeds=3",
    "--config.num_steps=30",
    "--config.mlp.embed_dim=8",
    "--config.mlp.hidden_dim=12",
    "--config.evaluation.num_evaluations=6",
)


@pytest.fixture(scope="module")
def run():
    """Calls `repjax.main` or `repjax.table3` in this process; the exit code."""

    def run(program, *arguments) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
            patch.setattr(sys, "argv", [program.__name__, *map(str, arguments)])
            saved = flagsaver.save_flag_values(program._FLAGS)
            try:
                command_line.run(program.main, program._FLAGS)
            except SystemExit as stop:
                return stop.code
            finally:
                flagsaver.restore_flag_values(saved, program._FLAGS)
        return 0

    return run


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    """A workdir that main has filled: two cells of three runs."""
    workdir = tmp_path_factory.mktemp("whole")
    assert run(main, *TINY, f"--workdir={workdir}") == 0
    return workdir


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_main_leaves_the_files_of_the_contract(trained):
    assert {"manifest.json", *TABLES} <= {path.name for path in trained.iterdir()}
    header, *rows = read(trained / "seeds.csv")
    assert header == list(COLUMNS)
    assert [row[:4] for row in rows] == [
        [group, "mlp", seed, "30"] for group in ("C5", "S3") for seed in "123"
    ]


def test_table3_says_what_main_said(run, trained, tmp_path):
    assert run(table3, f"--workdir={trained}", f"--out={tmp_path}") == 0
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_the_numbers_come_from_the_checkpoints(run, trained, tmp_path):
    """Trajectories that say something else change nothing but themselves."""
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    for directory in (copy / "S3_mlp", copy / "C5_mlp"):
        results = CellResults.load(directory)
        for values in results.metrics.values():
            values[:] = 0.123
        results.save(directory)
        write_seeds([results], copy)
    assert run(table3, f"--workdir={copy}") == 0
    assert (copy / "seeds.csv").read_bytes() == (trained / "seeds.csv").read_bytes()


def test_shards_merge_to_the_table_of_one_sweep(run, trained, tmp_path):
    parts = [tmp_path / f"part{i}" for i in range(2)]
    for i, part in enumerate(parts):
        assert run(main, *TINY, f"--workdir={part}", f"--shard={i}/2") == 0
    merged = tmp_path / "merged"
    workdirs = [f"--workdir={part}" for part in parts]
    assert run(table3, *workdirs, f"--out={merged}") == 0
    for name in TABLES:
        assert (merged / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--workdir: missing"),
        (["--workdir=no/such/place"], "--workdir: 'no/such/place' holds no cells"),
        (["--wrokdir=x"], "--wrokdir: unknown; did you mean workdir?"),
    ],
)
def test_bad_input_is_one_line(run, capsys, arguments, message):
    assert run(table3, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
