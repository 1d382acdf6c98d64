"""What notebooks and scripts call: no flags, exceptions in place of exit codes."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import repjax
from repjax.engine.train import _signals_noted
from repjax.export import read_checkpoint
from repjax.settings.rules import ConfigError, show
from repjax.storage.results import CellResults
from repjax.storage.tensors import read_tensors
from repjax.trained import table_of_runs
from tests.made_up import make_results
from tests.tiny import tiny_cell

ROOT = Path(__file__).parent.parent
TINY = {
    "groups": ("S3", "C6"),
    "num_seeds": 2,
    "num_steps": 30,
    "train_fraction": 0.7,
    "mlp": {"embed_dim": 8, "hidden_dim": 12},
    "evaluation.num_evaluations": 5,
    "checkpoint.snapshots": True,
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two cells with two runs each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
        return repjax.train(TINY, tmp_path_factory.mktemp("api") / "w", progress=False)


def test_runs_are_a_row_each(sweep):
    runs = sweep.runs
    assert runs[["cell", "seed"]].to_numpy().tolist() == [
        ["C6_mlp", 1], ["C6_mlp", 2], ["S3_mlp", 1], ["S3_mlp", 2],
    ]  # fmt: skip
    results = CellResults.load(sweep.workdir / "S3_mlp")
    mine = runs[runs.cell == "S3_mlp"]
    np.testing.assert_array_equal(mine.test_loss, results.final("test_loss"))
    assert mine.key_irreps.tolist() == [results.key_irreps(0), results.key_irreps(1)]
    assert mine.generalised.dtype == bool and runs.steps.eq(30).all()


def test_swept_settings_are_columns_of_numbers():
    cell = tiny_cell(sweep=(("optimizer.weight_decay", (0.5,)),))
    one, other = (
        make_results(cell),
        make_results(tiny_cell(optimizer__weight_decay=2.0)),
    )
    runs = table_of_runs([one, other])
    assert runs["optimizer.weight_decay"].tolist() == [0.5] * 3 + [2.0] * 3


def test_trajectories_have_named_axes(sweep):
    found = sweep.cells["S3_mlp"].trajectory
    results = CellResults.load(sweep.workdir / "S3_mlp")
    assert dict(found.sizes) == {"run": 2, "step": 5, "irrep": 3}
    np.testing.assert_array_equal(
        found.logit_similarity.sel(irrep="sign", step=30),
        results.metrics["logit_similarity"][:, -1, results.irreps.index("sign")],
    )
    assert found.irrep_dim.sel(irrep="standard") == 2
    assert found.seed.values.tolist() == [1, 2]
    assert found.test_loss.attrs["units"] == "nats"
    assert {*found.data_vars} == {*results.metrics}


@pytest.mark.parametrize("row", [0, 3])
def test_weights_are_those_of_the_checkpoint(sweep, row):
    run = sweep.runs.loc[row]
    export = read_checkpoint(sweep.workdir, f"{run.cell}/{run.seed}")
    params = sweep.params(row)
    assert params.keys() == export.weights.keys()
    for name, weights in export.weights.items():
        np.testing.assert_array_equal(params[name], weights)


def test_weights_of_a_step_are_those_of_its_snapshot(sweep):
    (file,) = sweep.workdir.glob("programs/*/snapshots/0.safetensors")
    tensors, metadata = read_tensors(file, "repjax snapshot 1")
    first = [*json.loads(metadata["cells"])].index("C6_mlp") * 2
    for name, weights in sweep.params(1, step=0).items():
        np.testing.assert_array_equal(weights, tensors[name][first + 1])
    assert sweep.model(1, step=0).step == 0


def test_a_model_is_a_function_of_elements(sweep):
    """Its accuracy and loss over all pairs are those that were measured."""
    cell, results = sweep.cells["S3_mlp"], sweep.cells["S3_mlp"].results
    model, n = cell.model(1), cell.group.order
    logits = model(np.arange(n)[:, None], np.arange(n))
    assert logits.shape == (n, n, n)
    right = (logits.argmax(-1) == cell.group.table).mean()
    train, test = int(0.7 * n * n), n * n - int(0.7 * n * n)
    measured = [results.final(f"{part}_accuracy")[1] for part in ("train", "test")]
    assert right == pytest.approx(np.average(measured, weights=[train, test]))
    np.testing.assert_allclose(model(2, 3), logits[2, 3], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.group.table, cell.group.table)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda s: s.trajectory,
            r"trajectory: 2 cells have their own; use .cells\['C6",
        ),
        (lambda s: s.group, "group: 2 cells have their own"),
        (lambda s: s.params(4), "run: 4 is not allowed; use a row .* from 0 to 3"),
        (lambda s: s.params(-1), "run: -1 is not allowed"),
        (lambda s: s.params(0, step=29), "step: 29 is not allowed; use one of 0, .*30"),
        (lambda s: s.model(0)(0, 6), "b: 6 is not allowed; .* from 0 to 5"),
        (lambda s: s.model(0)(0.5, 0), "a: 0.5 is not allowed"),
        (lambda s: repjax.load(s.workdir / "C6_mlp"), "^workdir: .* is a cell of "),
        (lambda s: repjax.load(s.workdir / "nope"), "^workdir: .*nope' does not exist"),
        (lambda s: repjax.get_config("nope"), "config: nope: no such experiment or"),
        (
            lambda s: repjax.train({"num_sedes": 1}, s.workdir),
            "num_sedes: unknown; did",
        ),
        (
            lambda s: repjax.train({"overrides": ("A5/*", "num_steps", 3)}, s.workdir),
            "^overrides: 'A5/\\*' matches no cell; the cells are S5/mlp$",
        ),
        (
            lambda s: repjax.train({"num_steps": "x"}, s.workdir),
            "num_steps: 'x' is not",
        ),
        (lambda s: repjax.train({}, ""), "workdir: missing"),
        (
            lambda s: repjax.train(TINY | {"num_steps": 31}, s.workdir),
            "num_steps: 31 d",
        ),
    ],
)
def test_bad_input_is_an_exception_with_one_line(sweep, ask, message):
    with pytest.raises(ConfigError, match=message) as error:
        ask(sweep)
    assert "\n" not in str(error.value)
    assert repjax.ConfigError is ConfigError


def test_a_config_can_be_changed_and_trained(tmp_path, monkeypatch):
    """Overrides come before the experiment's own exceptions, as on a command line."""
    config = repjax.get_config("quickstart")
    with pytest.raises(AttributeError):
        config.num_sedes = 3
    config.groups = ("D12",)
    config.num_seeds = 1
    calls = []
    monkeypatch.setattr(
        "repjax.sweep.train_cells", lambda *asked, quiet: calls.append(asked)
    )
    changes = {"num_steps": 2, "mlp.hidden_dim": 8, "mlp": {"embed_dim": 4}}
    with pytest.raises(ConfigError, match="holds no cells"):  # nothing was trained
        repjax.train(config, tmp_path / "new", overrides=changes)
    ((cells, workdir, request),) = calls
    assert workdir == tmp_path / "new" and workdir.is_dir()
    (cell,) = cells
    assert (cell.name, cell.seeds, cell.num_steps) == ("D12_mlp", (1,), 2)
    assert (cell.mlp.hidden_dim, cell.mlp.embed_dim) == (8, 4)
    assert request["overrides"] == {
        "num_steps": 2,
        "mlp.hidden_dim": 8,
        "mlp.embed_dim": 4,
    }


def test_signals_are_left_alone_beside_the_main_thread():
    """As where a notebook's server trains: Python lets no other thread handle them."""
    noted: list = []

    def train():
        with _signals_noted() as signals:
            noted.append(signals)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert noted == [[]]


def test_numbers_of_numpy_are_told_as_numbers():
    assert show((np.float64(3.6), np.int32(-2), np.float32("nan"))) == "(3.6, -2, nan)"


def test_a_sweep_is_shown_by_its_cells(sweep):
    expected = f"<repjax sweep in {sweep.workdir}: 4 runs of C6_mlp, S3_mlp>"
    assert repr(sweep) == expected
    cell = sweep.cells["S3_mlp"]
    assert repr(cell) == "<repjax cell S3_mlp: 2 runs>"
    assert repr(cell.group) == "<repjax group S3: 6 elements>"
    assert repr(cell.model(0, step=0)) == "<repjax network: Mlp on S3 at step 0>"


def test_a_cell_that_is_not_there_is_answered_with_those_that_are(sweep):
    with pytest.raises(KeyError) as error:
        _ = sweep.cells["S3"]
    assert error.value.args == ("'S3' is not a cell; use one of C6_mlp, S3_mlp",)
    assert sweep.cells.get("S3") is None and "S3" not in sweep.cells


def test_importing_repjax_imports_nothing_else():
    code = (
        "import sys, repjax; sys.exit(len({'jax', 'numpy', 'absl'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_reading_results_needs_no_jax(sweep):
    code = f"""if True:
        import sys, repjax
        sweep = repjax.load({str(sweep.workdir)!r})
        sweep.runs, sweep.cells["S3_mlp"].trajectory
        sys.exit("jax" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", ["runs", "trajectory"])
def test_a_library_that_is_missing_is_named(sweep, monkeypatch, name):
    library = {"runs": "pandas", "trajectory": "xarray"}[name]
    monkeypatch.setitem(sys.modules, library, None)
    cell = repjax.load(sweep.workdir).cells["S3_mlp"]
    message = f"{name}: needs {library}, .* use pip install 'repjax.notebook.'"
    with pytest.raises(ConfigError, match=message):
        getattr(cell, name)


def test_names_are_listed_for_completion():
    assert {"train", "load", "get_config"} <= {*dir(repjax)}
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        _ = repjax.tarin
