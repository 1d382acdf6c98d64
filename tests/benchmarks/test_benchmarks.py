"""Every benchmark runs, at the smallest size; what it computes is right."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import (
    accelerator,
    agreement,
    analysis,
    breakdown,
    live_curves,
    published,
    scaling,
    startup,
    timing,
    train_step,
)
from experiments import base
from repjax.engine.ensemble import Ensemble
from repjax.engine.plan import make_plan
from repjax.groups import build_group
from repjax.models import build_model
from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand
from repjax.training import step
from repjax.training.blocks import ALL_AT_ONCE, TrainPairs
from tests.compilation import quick_jit
from tests.programs import call
from tests.published_run import write_run
from tests.tiny import tiny_cell

ROOT = Path(__file__).parents[2]
CONTRACT = {
    *("cell", "runs", "ms_per_run_step", "ratio_published", "ratio_torch_ensemble"),
    *("gemm_share", "peak_rss_gb"),
}


@pytest.fixture(autouse=True)
def small_gemm(monkeypatch):
    monkeypatch.setattr(timing, "GEMM_SIZE", 64)


def test_training_step_without_torch(monkeypatch, tmp_path, capsys):
    out = tmp_path / "rows.json"
    monkeypatch.setattr(train_step, "find_spec", lambda name: None)
    monkeypatch.setattr(train_step, "_peak_in_a_process_of_its_own", lambda *_: 0.7)
    monkeypatch.setattr(train_step, "TURN_SECONDS", 0.01)
    flags = ["--cells=a5-mlp", "--runs=1,2", "--budget=0"]
    assert call(train_step, *flags, f"--out={out}") == 0
    rows = json.loads(out.read_text())
    assert [row["runs"] for row in rows] == [1, 2]
    for row in rows:
        assert row.keys() > CONTRACT
        assert row["cell"] == "a5-mlp" and row["ms_per_run_step"] > 0
        assert row["ratio_published"] is row["ratio_torch_ensemble"] is None
        assert row["gemm_share"] > 0 and row["peak_rss_gb"] == 0.7
        assert row["commit"] and row["versions"]["jax"] == jax.__version__
    told = capsys.readouterr()
    assert "a5-mlp" in told.out
    assert told.err.count("pip install 'repjax[torch]'") == 1


def test_memory_is_that_of_training_alone():
    """However much the process had that asks: here 600 MB more than training needs."""
    large = np.ones(600 * 2**17)
    assert timing.peak_gigabytes() > 0.55
    del large
    peak = train_step._peak_in_a_process_of_its_own("c113-mlp", 1)
    assert 0.1 < peak < 0.55


def test_ratios_are_medians_over_turns(monkeypatch):
    """Two runs; ours takes 1, 2 and 4 s for 10 steps, the peers the same for 3."""
    times = {
        "ours": np.array([1.0, 2.0, 4.0]),
        "published": np.full(3, 9.0),
        "ensemble": np.full(3, 18.0),
        "gemm": np.full(3, 1.5),
    }
    peers = train_step.Peers({"published": None, "ensemble": None}, "compiled")
    monkeypatch.setattr(train_step, "trainer", lambda cell: (None, 10))
    monkeypatch.setattr(train_step, "peers_of", lambda cell, device: peers)
    monkeypatch.setattr(timing, "for_a_turn", lambda step, *_: (step, 3))
    monkeypatch.setattr(train_step, "_peak_in_a_process_of_its_own", lambda *_: 0.7)
    monkeypatch.setattr(timing, "interleaved", lambda actions, budget: times)
    row = train_step.row("s5-mlp", 2, 0.0, "cpu")
    assert row["ms_per_run_step"] == pytest.approx(100)  # 2 s, 10 steps, 2 runs
    assert row["ratio_published"] == pytest.approx(3 / 0.1)
    assert row["ratio_torch_ensemble"] == pytest.approx(6 / 2 / 0.1)
    flop = timing.step_flop(timing.paper_cell("s5-mlp", 2))
    assert row["gemm_share"] == pytest.approx(flop / 0.1 / (2 * 64**3 / 0.5))
    assert row["peak_rss_gb"] == 0.7 and row["torch_ensemble"] == "compiled"


def test_turns_are_interleaved_and_of_one_length():
    calls = []
    steps = {"a": lambda: time.sleep(0.02), "b": lambda: calls.append("b")}
    turn, repeats = timing.for_a_turn(steps["a"], 0.06)
    assert repeats in (2, 3)
    actions = {"a": lambda: calls.append("a") or turn(), "b": steps["b"]}
    times = timing.interleaved(actions, budget=0, least=2)
    assert calls == ["a", "b"] * 3  # the first of each is to warm up
    assert times["a"].shape == (2,) and min(times["a"]) >= 0.02 * repeats


def test_work_of_others_is_what_is_not_ours(monkeypatch):
    """In 10 s on 2 cores all processes worked 15 s, this one 11 s."""
    readings = iter([(100.0, 7.0, 50.0), (115.0, 18.0, 60.0)])
    monkeypatch.setattr(timing, "_cpu_seconds", lambda: next(readings))
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 2)
    with timing.Bystanders() as others:
        pass
    assert others.share == pytest.approx(0.2)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="read on Linux only")
def test_work_of_another_process_is_seen():
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    with timing.Bystanders() as others:
        subprocess.run([sys.executable, "-c", busy], check=True)
    assert 0 < others.share <= 1.1


def test_every_product_of_a_step_is_counted():
    """The S5 MLP: 5,760 pairs, and two tables of 120 × 256 × 128."""
    cell = timing.paper_cell("s5-mlp", 1)
    by_hand = 6 * 5760 * 128 * 120 + 6 * 2 * 120 * 256 * 128
    assert timing.step_flop(cell) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("group", "architecture"),
    [("C31", "mlp"), ("C31", "transformer"), ("C181", "transformer")],
)
def test_operations_are_those_that_the_compiler_counts(group, architecture):
    """It counts what is no product too: 2 to 5 % more, all pairs at once, no loops."""
    config = base.get_config()
    config.groups, config.architectures = (group,), (architecture,)
    (cell,) = expand(from_config_dict(config))
    order = build_group(group).order
    model = build_model(cell, order)
    nobody = jnp.zeros(1, jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), nobody, nobody)
    pairs = jnp.arange(int(cell.train_fraction * order**2))
    labels = jnp.asarray(build_group(group).table).ravel()[pairs]
    weights = jnp.full(pairs.shape, 1 / pairs.size)
    compiled = quick_jit(
        lambda params, pairs: step._loss_and_gradient(
            model, params, pairs, jnp.int32(weights.size), ALL_AT_ONCE
        )
    ).lower(params, TrainPairs(pairs, labels, weights))
    counted = compiled.compile().cost_analysis()["flops"]
    assert 1 < counted / timing.step_flop(cell) < 1.06


@pytest.mark.parametrize(
    ("program", "flag", "message"),
    [
        (train_step, "--cells=q8-mlp", "--cells: 'q8-mlp' is not allowed"),
        (train_step, "--cells=s5", "--cells: 's5' is not allowed"),
        (train_step, "--runs=0", "--runs: '0' is not allowed"),
        (train_step, "--runs=1,x", "--runs: '1,x' is not allowed"),
        (analysis, "--cells=", "--cells: '' is not allowed"),
        (startup, "--cells=s7-mlp", "--cells: 's7-mlp' is not allowed"),
        (breakdown, "--cells=s5", "--cells: 's5' is not allowed"),
        (accelerator, "--cells=s7-mlp", "--cells: 's7-mlp' is not allowed; use some"),
        (accelerator, "--precisions=low", "--precisions: 'low' is not allowed; use"),
        (agreement, "--other=x", "--reference: missing; use a workdir"),
        (published, "--published=tests", "--published: 'tests' is not allowed; use a"),
    ],
)
def test_bad_input(capsys, program, flag, message):
    assert call(program, flag) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"repjax: {message}") and err.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_torch_peers_take_our_steps(torch, architecture):
    """The same losses as ours, one run and all of them."""
    from benchmarks.torch_peers import PublishedStep, TorchEnsemble

    cell = tiny_cell(architectures=(architecture,), num_seeds=2)
    ensemble = Ensemble([cell], jax.devices()[:1])
    state = start = ensemble.init()
    start = ensemble.fetch(start)
    weights, pairs = start.params["params"], start.train_pairs
    one = PublishedStep(cell, jax.tree.map(lambda x: x[0], weights), pairs[0])
    every = TorchEnsemble(cell, weights, pairs)
    for _ in range(4):
        state, loss = ensemble.train(state, 1)
        ours = ensemble.fetch(loss)
        np.testing.assert_allclose(one.step(), ours[0], rtol=1e-5)
        np.testing.assert_allclose(every.step(), ours, rtol=1e-5)


def test_ensemble_without_a_compiler_says_so(torch, monkeypatch, capsys):
    from benchmarks.torch_peers import TorchEnsemble

    def no_compiler(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: no_compiler)
    cell = tiny_cell(num_seeds=2)
    ensemble = Ensemble([cell], jax.devices()[:1])
    start = ensemble.fetch(ensemble.init())
    every = TorchEnsemble(cell, start.params["params"], start.train_pairs)
    assert every.how == "vmap alone" and every.step().shape == (2,)
    assert capsys.readouterr().err.endswith("no C++ compiler\n")


def test_reference_method_finds_what_ours_does():
    """S4, whose irreps are all of real type: both ways span the same spaces."""
    cell = tiny_cell(groups=("S4",), num_seeds=1)
    ensemble = Ensemble([cell], jax.devices()[:1])
    state, _ = ensemble.train(ensemble.init(), 20)
    ours = {name: x[0] for name, x in ensemble.evaluate(state).items()}
    weights = {name: x[0] for name, x in ensemble.fetch(state.params["params"]).items()}
    theirs = analysis.reference(weights, build_group("S4"))
    names = {
        "similarity": "logit_similarity",
        "w_a": "irrep_fve_w_a",
        "w_b": "irrep_fve_w_b",
        "w_u": "irrep_fve_w_u",
        "a": "hidden_a",
        "b": "hidden_b",
        "ab": "hidden_ab",
    }
    for theirs_name, name in names.items():
        np.testing.assert_allclose(
            theirs[theirs_name][1:], ours[name][1:], rtol=1e-3, atol=1e-5
        )


def test_analysis_is_timed(monkeypatch, tmp_path):
    out = tmp_path / "rows.json"
    monkeypatch.setattr(timing, "paper_cell", lambda name, runs: tiny_cell(num_seeds=1))
    assert call(analysis, "--cells=x", "--runs=1", "--budget=0", f"--out={out}") == 0
    (row,) = json.loads(out.read_text())
    assert row["ms_per_run"] > 0 and row["ratio_reference"] > 0


def test_fits_are_those_of_the_rows():
    rows = [
        {"kind": "C_p", "order": n, "ms_per_run_step": 3 * n**2.5, "gflop": n**3.0}
        for n in (7, 90, 20)
    ]
    fitted = scaling.fits(rows)
    assert fitted.keys() == {"C_p"}
    assert fitted["C_p"] == pytest.approx(
        {
            "exponent": 2.5,
            "exponent_of_operations": 3.0,
            "growth": 4.5**2.5,
            "growth_of_operations": 4.5**3,
        }
    )


def test_scaling_is_measured_and_drawn(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
    monkeypatch.setattr(train_step, "TURN_SECONDS", 0.01)
    point = scaling.point(0.0, "S3", "2", "1")
    assert point["order"] == 6 and point["devices"] == 1
    monkeypatch.setattr(
        scaling,
        "_in_a_process",
        lambda budget, group, *_: point | {"order": build_group(group).order},
    )
    out, plot = tmp_path / "rows.json", tmp_path / "plot.svg"
    assert call(scaling, "--small", f"--out={out}", f"--plot={plot}") == 0
    rows = json.loads(out.read_text())
    assert {row["kind"] for row in rows} == {"C_p", "S_k", "runs", "devices"}
    assert all((row["kind"] == "S_k") <= ("exponent" in row) for row in rows)
    assert plot.read_text().count("<svg") == 1 and plot.stat().st_size > 5000


def test_a_point_has_the_devices_it_asks_for():
    assert scaling._in_a_process(0.0, "C3", 1, 3)["devices"] == 3


def test_floors_are_the_makers_figures():
    cell = timing.paper_cell("s5-mlp", 1)
    h100 = "NVIDIA H100 80GB HBM3"
    arithmetic, memory = accelerator.floors(cell, "highest", h100, False)
    # 5,760 pairs: products, and 2 × 128 floats looked up by one-hot products.
    flop = timing.step_flop(cell) + 2 * 5760 * 120 * 256
    assert arithmetic == pytest.approx(flop / 67e12)
    weights = 2 * 120 * 256 + 512 * 128 + 128 * 120
    floats = 7 * weights + 4 * 5760 * (128 + 120)
    assert memory == pytest.approx(4 * floats / 3.35e12)
    arithmetic, memory = accelerator.floors(cell, "highest", h100, True)
    assert arithmetic == pytest.approx(timing.step_flop(cell) / 67e12)
    assert memory == pytest.approx(4 * (floats + 5760 * 256) / 3.35e12)
    for kind in ("cpu", "NVIDIA H100 NVL"):
        assert accelerator.floors(cell, "default", kind, False) == (None, None)


def test_accelerator_at_small_size(monkeypatch, tmp_path, capsys):
    """As it is by default on a CPU."""
    asked = []

    def cells(small):
        asked.append(small)
        return [("a5-mlp", 1)]

    monkeypatch.setattr(accelerator, "_cells", cells)
    monkeypatch.setattr(train_step, "TURN_SECONDS", 0.01)
    out = tmp_path / "rows.json"
    assert call(accelerator, "--budget=0", f"--out={out}") == 0
    assert asked == [True]
    assert f"jax {jax.__version__}" in capsys.readouterr().out
    rows = json.loads(out.read_text())
    assert [row["precision"] for row in rows] == ["default", "high", "highest"]
    assert all(row["run_steps_per_second"] > 0 for row in rows)


def test_accelerators_are_asked_for_all_that_is_named():
    """Rows at full size: A5 and S5 with up to 1,000 runs, S6 in both architectures."""
    rows = list(accelerator._cells(False))
    assert set(rows) == {
        *itertools.product(("a5-mlp", "s5-mlp"), (4, 50, 500, 1000)),
        ("s6-mlp", 4),
        ("s6-transformer", 4),
    }
    for name, runs in rows:
        for precision in accelerator.PRECISIONS:
            cell = timing.paper_cell(name, runs, matmul_precision=precision)
            # Three quarters of 79.
            plan = make_plan(cell, 1, False, 59 * 2**30, on_gpu=True)
            assert (plan.at_once, plan.parts) == (runs, 1)
            lists = plan.lists_pairs
            assert min(accelerator.floors(cell, precision, "NVIDIA H200", lists)) > 0


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_published_networks_are_timed(torch, tmp_path, monkeypatch):
    for seed in (2, 3):
        write_run(tmp_path / str(seed), torch, {"seed": seed})
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    out = tmp_path / "rows.json"
    assert call(published, f"--published={tmp_path}", f"--out={out}") == 0
    first, second, both = json.loads(out.read_text())
    assert first["networks"] == 2 and both["program"] == "both"
    for seconds in ("seconds_cold", "seconds_warm"):
        assert both[seconds] == pytest.approx(first[seconds] + second[seconds])
    assert 0.1 < both["peak_rss_gb"] < 2


def test_first_step_is_timed(monkeypatch, tmp_path):
    assert 1 < startup.seconds_to_first_step("a5-mlp", str(tmp_path)) < 300


def test_cost_of_live_curves_counts_every_record(monkeypatch):
    """Of a tiny sweep: one for each of 6 evaluations and 5 chunks or more."""
    pytest.importorskip("tensorboardX")
    monkeypatch.setattr(live_curves, "expand", lambda *_: [tiny_cell()])
    row = live_curves.row("tensorboard", 40)
    assert row["records"] >= 6 + 5  # long chunks are divided
    assert row["ms_per_record"] > 0 and 0 < row["percent"] < 100
