import csv
import shutil
from pathlib import Path

import pytest

from repjax import main, table3
from repjax.metrics import EXPLAINED
from repjax.report.seeds import COLUMNS, write_seeds
from repjax.storage.results import CellResults
from repjax.storage.workdirs import show_seeds
from tests.programs import call

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
def trained(tmp_path_factory):
    """A workdir that main has filled: two cells of three runs."""
    workdir = tmp_path_factory.mktemp("whole")
    assert call(main, *TINY, f"--workdir={workdir}") == 0
    return workdir


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_main_leaves_the_files_of_the_contract(trained):
    assert {"manifest.json", *TABLES} <= {path.name for path in trained.iterdir()}
    header, *rows = read(trained / "seeds.csv")
    assert header == [*COLUMNS, *EXPLAINED]
    assert [row[:4] for row in rows] == [
        [group, "mlp", seed, "30"] for group in ("C5", "S3") for seed in "123"
    ]


def test_table3_says_what_main_said(trained, tmp_path, capsys):
    assert call(table3, f"--workdir={trained}", f"--out={tmp_path}") == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == f"repjax: seeds.csv and table3.* are in {tmp_path}"
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_the_numbers_come_from_the_checkpoints(trained, tmp_path):
    """Trajectories that say something else change nothing but themselves."""
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    for directory in (copy / "S3_mlp", copy / "C5_mlp"):
        results = CellResults.load(directory)
        for values in results.metrics.values():
            values[:] = 0.123
        results.save(directory)
        write_seeds([results], copy)
    assert call(table3, f"--workdir={copy}") == 0
    assert (copy / "seeds.csv").read_bytes() == (trained / "seeds.csv").read_bytes()


def test_a_group_whose_table_is_gone(trained, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    path = copy / "S3_mlp" / "config.json"
    path.write_text(path.read_text().replace('"S3"', '"gone.npy"'))
    capsys.readouterr()
    assert call(table3, f"--workdir={copy}") == 2
    err = capsys.readouterr().err
    assert err.startswith(f"repjax: {copy / 'S3_mlp'}: ") and "gone.npy" in err
    assert err.count("\n") == 1


def test_shards_merge_to_the_table_of_one_sweep(trained, tmp_path, capsys):
    parts = [tmp_path / f"part{i}" for i in range(4)]
    for i, part in enumerate(parts):
        assert call(main, *TINY, f"--workdir={part}", f"--shard={i}/4") == 0
    merged = tmp_path / "merged"
    workdirs = [f"--workdir={part}" for part in parts]
    capsys.readouterr()
    assert call(table3, *workdirs, f"--out={merged}") == 0
    assert capsys.readouterr().err == "", "nothing is missing"
    for name in TABLES:
        assert (merged / name).read_bytes() == (trained / name).read_bytes()

    # A shard that is not there, and one that is not trained to the end.
    (cell,) = {path.parent.parent for path in parts[1].glob("S3_mlp/checkpoints/30")}
    shutil.rmtree(cell / "checkpoints")
    (cell / "trajectory.npz").unlink()
    assert call(table3, *workdirs[:3], f"--out={merged}") == 0
    unfinished, *lines = capsys.readouterr().err.splitlines()
    assert unfinished == f"repjax: {cell} is not trained to the end"
    seeds = {"S3_mlp": {1, 2, 3}, "C5_mlp": {1, 2, 3}}
    for row in read(merged / "seeds.csv")[1:]:
        seeds[f"{row[0]}_{row[1]}"].remove(int(row[2]))
    assert len(seeds["S3_mlp"]) + len(seeds["C5_mlp"]) == 3
    assert lines == [
        f"repjax: {name}: {show_seeds(sorted(lacking))} missing: not in these workdirs"
        for name, lacking in seeds.items()
        if lacking
    ]


def test_a_shard_without_runs_lacks_nothing(trained, tmp_path, capsys):
    """As the last 8 of 64 shards of the 56 runs of Table 3."""
    part, merged = tmp_path / "part", tmp_path / "merged"
    assert call(main, *TINY, f"--workdir={part}", "--shard=6/7") == 0
    flags = [f"--workdir={trained}", f"--workdir={part}", f"--out={merged}"]
    capsys.readouterr()
    assert call(table3, *flags) == 0
    assert capsys.readouterr().err == ""
    for name in TABLES:
        assert (merged / name).read_bytes() == (trained / name).read_bytes()
    assert call(table3, f"--workdir={part}") == 2
    assert "no cells there; add the other shards" in capsys.readouterr().err


def test_the_same_run_twice_is_refused(trained, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    assert call(table3, f"--workdir={trained}", f"--workdir={copy}") == 2
    assert capsys.readouterr().err == (
        f"repjax: --workdir: C5_mlp with seed 1 is both in {trained / 'C5_mlp'} and in "
        f"{copy / 'C5_mlp'}; leave one of them out\n"
    )
    for checkpoints in copy.glob("*/checkpoints"):  # it was given up and taken over
        shutil.rmtree(checkpoints)
    flags = [f"--workdir={trained}", f"--workdir={copy}", f"--out={tmp_path}"]
    assert call(table3, *flags) == 0
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.parametrize(
    ("seeds", "words"),
    [([3], "seed 3"), ([1, 2, 3, 7], "seeds 1 to 3, 7"), ([1, 3], "seeds 1, 3")],
)
def test_seeds_in_words(seeds, words):
    assert show_seeds(seeds) == words


def test_a_manifest_that_says_nothing_is_told(trained, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "manifest.json").write_text("{")
    assert call(table3, f"--workdir={copy}") == 0
    assert "cannot tell which runs are missing" in capsys.readouterr().err
    assert (copy / "seeds.csv").read_bytes() == (trained / "seeds.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--workdir: missing"),
        (["--workdir=no/such/place"], "--workdir: 'no/such/place' does not exist"),
        (["--wrokdir=x"], "--wrokdir: unknown; did you mean --workdir?"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert call(table3, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
