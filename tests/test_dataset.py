"""From workdirs to Parquet files and their card, by the program."""

import importlib.util
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from repjax import main, published
from repjax.dataset import __main__ as program
from repjax.dataset.measures import ENERGIES
from repjax.dissection import FinishedCell
from repjax.initial import FEATURES, measure
from repjax.storage.files import write_json
from repjax.storage.results import CellResults
from tests.conftest import REPOSITORY
from tests.programs import call
from tests.published_run import write_run
from tests.test_whole_table import PART, SWEEP, WHOLE

pq = pytest.importorskip("pyarrow.parquet")

FILES = ["README.md", "evaluations.parquet", "irreps.parquet", "runs.parquet"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep over a part of the table and all of it."""
    workdir = tmp_path_factory.mktemp("trained")
    assert call(main, *SWEEP, f"--workdir={workdir}") == 0
    return workdir


@pytest.fixture(scope="module")
def dataset(trained, tmp_path_factory):
    """The dataset of the sweep."""
    out = tmp_path_factory.mktemp("dataset")
    assert call(program, f"--workdir={trained}", f"--out={out}") == 0
    return out


def columns(dataset, name, cell=None):
    filters = None if cell is None else [("cell", "=", cell)]
    return pq.read_table(dataset / f"{name}.parquet", filters=filters).to_pydict()


def test_the_files_hold_the_results(trained, dataset):
    assert sorted(path.name for path in dataset.iterdir()) == FILES
    for cell in (PART, WHOLE):
        results = CellResults.load(trained / cell)
        runs, irreps, evaluations = (
            columns(dataset, name, cell) for name in ("runs", "irreps", "evaluations")
        )
        assert runs["seed"] == [1, 2]
        assert {*runs["small_group"]} == {"SmallGroup(6,1)"} and runs["order"][0] == 6
        assert [tuple(key) for key in runs["key_irreps"]] == [
            results.key_irreps(run) for run in range(2)
        ]
        assert runs["train_loss"] == results.final("train_loss").tolist()
        assert irreps["irrep"] == [*results.irreps] * 2
        assert irreps["orbit"][:3] == [0, 1, 2]
        assert irreps["hidden_ab"] == results.final("hidden_ab").ravel().tolist()
        assert evaluations["step"] == results.steps.tolist() * 2
        assert (
            evaluations["train_loss"] == results.metrics["train_loss"].ravel().tolist()
        )
        similarity = results.metrics["logit_similarity"].reshape(-1, 3)
        assert evaluations["logit_similarity"] == similarity.tolist()


def test_test_metrics_are_null_where_every_pair_trains(dataset):
    for name in ("runs", "evaluations"):
        part, whole = (columns(dataset, name, cell) for cell in (PART, WHOLE))
        assert {*whole["test_loss"], *whole["test_accuracy"]} == {None}
        assert None not in part["test_loss"] + whole["train_loss"]
    assert whole["step"][-1] == 400
    runs = columns(dataset, "runs", WHOLE)
    assert runs["generalised"] == [True] * 2 and None not in runs["generalised_step"]


def test_energies_are_those_of_the_initial_weights(trained, dataset):
    assert [column.name for column in ENERGIES] == [*FEATURES]
    for cell in (PART, WHOLE):
        found, expected = (
            columns(dataset, "irreps", cell),
            measure(FinishedCell(trained / cell)),
        )
        for name in FEATURES:
            assert found[name] == expected[name].ravel().tolist()


def with_seeds(workdir, copy, *seeds, heavier=0):
    """A copy of a workdir as if it had been trained with other seeds, elsewhere."""
    ignored = shutil.ignore_patterns("programs")
    shutil.copytree(workdir, copy, ignore=ignored)
    for directory in (copy / PART, copy / WHOLE):
        results = CellResults.load(directory)
        run = [results.cell.seeds.index(seed) for seed in seeds]
        cell = replace(results.cell, seeds=seeds)
        metrics = {name: values[run] for name, values in results.metrics.items()}
        metrics["weight_norm_sq"] += heavier
        replace(results, cell=cell, metrics=metrics).save(directory)
        write_json(directory / "config.json", cell.to_json())
    return f"--workdir={copy}"


def test_shards_in_any_order_give_the_same_bytes(trained, dataset, tmp_path, capsys):
    """Runs of a cell are divided among workdirs, one of them twice."""
    flags = [
        with_seeds(trained, tmp_path / "a", 2, heavier=1),
        with_seeds(trained, tmp_path / "b", 1, 2),
    ]
    for order, out in ((flags, "one"), (flags[::-1], "two"), (flags, "two")):
        assert call(program, *order, f"--out={tmp_path / out}") == 0
    assert f"{PART}: counted once: seeds 2" in capsys.readouterr().err
    for name in FILES:
        one, two = ((tmp_path / out / name).read_bytes() for out in ("one", "two"))
        assert one == two
    for name in ("runs.parquet", "evaluations.parquet"):
        assert (dataset / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_the_card_describes_the_sweep(trained, dataset):
    text = (dataset / "README.md").read_text(encoding="utf-8")
    assert "4 small networks in 2 cells" in text
    assert "| `train_fraction` | 0.8, 1.0 |" in text
    assert "- Trained with `quickstart.py`, commit `" in text
    assert f"| {WHOLE} | SmallGroup(6,1) | 6 | seeds 1 to 2 | 2 of 2 | 0 |" in text
    assert str(trained) not in text


def test_the_example_computes_one_number_twice(dataset):
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    path = REPOSITORY / "examples" / "load_dataset.py"
    spec = importlib.util.spec_from_file_location("load_dataset", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    runs, irreps = (columns(dataset, name) for name in ("runs", "irreps"))
    dims = dict(zip(irreps["irrep"], irreps["dim"], strict=True))
    keys = [
        [dims[name] for name in names]
        for names, good in zip(runs["key_irreps"], runs["generalised"], strict=True)
        if good and names
    ]
    share = np.mean([min(key) == key[0] for key in keys])
    assert example.with_pandas(dataset) == pytest.approx(share)
    assert example.with_polars(dataset) == pytest.approx(share)


def test_imported_networks_are_marked(torch, tmp_path):
    run, workdir = write_run(tmp_path / "run", torch), tmp_path / "workdir"
    assert call(published, run, f"--workdir={workdir}") == 0
    out = tmp_path / "out"
    assert call(program, f"--workdir={workdir}", f"--out={out}") == 0
    runs = columns(out, "runs")
    assert runs["imported"] == [True] and runs["memorised_step"] == [None]
    assert columns(out, "evaluations")["step"] == [300]
    assert {*columns(out, "irreps")["energy_w_a"]} == {None}


def test_a_cell_that_is_not_finished_is_left_out(trained, tmp_path, capsys):
    workdir = tmp_path / "workdir"
    shutil.copytree(trained, workdir)
    shutil.rmtree(workdir / "programs")
    (workdir / PART / "trajectory.npz").unlink()
    flags = f"--workdir={workdir}", f"--out={tmp_path / 'out'}"
    assert call(program, *flags) == 0
    err = capsys.readouterr().err
    assert f"{PART} is not trained to the end" in err
    assert f"{PART}: seeds 1 to 2 missing" in err
    assert {*columns(tmp_path / "out", "runs")["cell"]} == {WHOLE}
    assert "seeds 1 to 2 missing" in (tmp_path / "out" / "README.md").read_text()

    (workdir / WHOLE / "trajectory.npz").unlink()
    assert call(program, *flags) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith("is trained to the end")


def refusal(capsys, *flags):
    """The one line with which the program refuses."""
    capsys.readouterr()
    assert call(program, *flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_bad_input_is_one_line(trained, tmp_path, capsys, monkeypatch):
    workdir = f"--workdir={trained}"
    assert "--workdir: missing" in refusal(capsys, f"--out={tmp_path / 'a'}")
    assert "--out: missing" in refusal(capsys, workdir)
    assert "other files, such as" in refusal(capsys, workdir, f"--out={trained}")
    nothing = refusal(capsys, f"--workdir={tmp_path}", f"--out={tmp_path / 'a'}")
    assert "holds no cells" in nothing
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = refusal(capsys, workdir, f"--out={tmp_path / 'a'}")
    assert "--out: needs pyarrow, which is not" in line and "'repjax[dataset]'" in line
    assert not (tmp_path / "a").exists()
