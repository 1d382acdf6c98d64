"""The report's numbers, from training and import to analysis.json."""

import json
import shutil

import numpy as np
import pytest

from repjax import main
from repjax import published as importer
from repjax.dissection import strength
from repjax.metrics import PER_IRREP, SCALARS
from repjax.report import __main__ as report_program
from repjax.report.analysis import analysis, write_analysis
from repjax.storage.files import write_json
from repjax.storage.results import CellResults, load_workdir
from tests.programs import call
from tests.test_table3 import TINY
from tests.tiny import tiny_cell

TRAINED = (
    *(flag for flag in TINY if "groups" not in flag),
    "--config.groups=S3",
    "--config.architectures=mlp,transformer",
    "--config.transformer.d_model=16",
    "--config.transformer.d_mlp=24",
)


def build(*workdirs, networks=1):
    directories = report_program.cell_directories(workdirs)
    manifests = report_program.read_manifests(workdirs)
    return report_program.build_report(directories, networks, manifests)


def strictly(text):
    """JSON without NaN and Infinity, which it does not have."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    assert call(main, *TRAINED, f"--workdir={workdir}") == 0
    return workdir


@pytest.fixture(scope="module")
def report(trained):
    """With two networks of three taken apart."""
    return build(trained, networks=2)


@pytest.fixture(scope="module")
def numbers(report):
    return analysis(report)


def test_every_run_is_there_with_its_final_numbers(numbers, trained):
    runs = {(run["cell"], run["seed"]): run for run in numbers["runs"]}
    assert set(runs) == {
        (f"S3_{a}", s) for a in ("mlp", "transformer") for s in (1, 2, 3)
    }
    for results in load_workdir(trained):
        for index, seed in enumerate(results.cell.seeds):
            run = runs[results.cell.name, seed]
            for name in SCALARS:
                assert run[name] == float(results.final(name)[index])
            for irrep, similarity in run["logit_similarity"].items():
                column = results.irreps.index(irrep)
                final = {name: results.final(name)[index, column] for name in PER_IRREP}
                assert similarity == final["logit_similarity"]
                fve, ablated = run["fve"][irrep], run["ablations"][irrep]
                assert fve["w_a"] == final["irrep_fve_w_a"]
                assert fve["w_u"] == final["irrep_fve_w_u"]
                assert fve["hidden_ab"] == final["hidden_ab"]
                assert fve["logits"] == similarity**2
                assert ablated["excluded_loss"] == final["irrep_excluded_loss"]
                assert ablated["without_ab_loss"] == final["without_ab_loss"]
                if final["cluster_neurons"]:
                    cluster = run["clusters"][irrep]
                    assert cluster["neurons"] == final["cluster_neurons"]
                    assert cluster["rho_b"] == final["cluster_b"]
                    parts = ("rho_a", "rho_b", "rho_ab", "residual")
                    assert sum(cluster[part] for part in parts) == pytest.approx(1)
                else:
                    assert irrep not in run["clusters"]
            keys = [key["irrep"] for key in run["key_irreps"]]
            assert keys == list(results.key_irreps(index))


def test_every_evaluation_is_there(numbers, trained):
    runs = {(run["cell"], run["seed"]): run for run in numbers["runs"]}
    for results in load_workdir(trained):
        for index, seed in enumerate(results.cell.seeds):
            progress = runs[results.cell.name, seed]["progress"]
            assert progress["steps"] == results.steps.tolist()
            for name in SCALARS:
                curve = results.metrics[name][index]
                np.testing.assert_allclose(progress[name], curve, rtol=1e-4)
            known = set(results.key_irreps(index))
            assert known <= set(progress["irreps"]) <= set(results.irreps[1:])
            for irrep, curves in progress["irreps"].items():
                column = results.irreps.index(irrep)
                for name, metric in {
                    "logit_similarity": "logit_similarity",
                    "hidden_ab": "hidden_ab",
                    "restricted_loss": "irrep_restricted_loss",
                }.items():
                    curve = results.metrics[metric][index, :, column]
                    np.testing.assert_allclose(curves[name], curve, rtol=1e-4)


def test_a_few_networks_are_taken_apart(numbers):
    for name in ("S3_mlp", "S3_transformer"):
        runs = [run for run in numbers["runs"] if run["cell"] == name]
        apart = [run for run in runs if run["anatomy"]]
        assert len(apart) == 2
        for run in apart:
            # One is a sum over pairs, the other of train and test losses.
            assert run["anatomy"]["loss"] == pytest.approx(run["loss"], rel=1e-5)
            counts = {i: len(n) for i, n in run["anatomy"]["neurons"].items()}
            expected = {i: c["neurons"] for i, c in run["clusters"].items()}
            assert counts == expected
            assert len(run["anatomy"]["neurons_off"]) == run["neurons_off"]


def test_anatomy_of_a_run_is_of_its_own_weights(report):
    """Neurons, maps and losses agree with the run's metrics."""
    for story in report.stories:
        assert len(story.anatomies) == 2
        for run, anatomy in story.anatomies.items():
            counts = story.results.final("cluster_neurons")[run]
            np.testing.assert_array_equal(anatomy.in_cluster.sum(axis=1), counts)
            likeness = story.results.final("logit_map_similarity")[run]
            distances = np.sqrt(np.maximum(2 - 2 * likeness, 0))
            np.testing.assert_allclose(
                anatomy.logit_map_distances, distances, atol=2e-3
            )
            for index, actual in anatomy.logit_maps.items():
                ideal = anatomy.ideal_maps[index]
                off = np.linalg.norm(actual - ideal) / np.linalg.norm(ideal)
                assert off == pytest.approx(distances[index], abs=2e-3)
            for index, maps in anatomy.activations.items():
                power = anatomy.hidden_power[maps.neurons]
                received = anatomy.received[:, maps.neurons]
                assert anatomy.in_cluster[index, maps.neurons].all()
                strength = power * received[index] / received.sum(axis=0)
                assert (np.diff(strength) <= 1e-6 * strength[:-1]).all()
                centred = maps.maps - maps.maps.mean(axis=(1, 2), keepdims=True)
                np.testing.assert_allclose(
                    (centred**2).sum(axis=(1, 2)), power, rtol=1e-3
                )


def test_the_strongest_neurons_of_a_cluster_are_its_own():
    received = np.array([[3.0, 1.2, 0.0], [9.0, 0.0, 0.0]])
    expected = [[2.5, 5.0, 0.0], [7.5, 0.0, 0.0]]
    found = strength(np.array([10.0, 5.0, 0.0]), received)
    np.testing.assert_allclose(found, expected)


def test_file_is_json_and_the_same_every_time(report, trained, tmp_path):
    texts = []
    for again in (report, build(trained, networks=2)):
        (path,) = write_analysis(again, tmp_path)
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert strictly(texts[0])["runs"]


def test_what_is_not_finite_is_null(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    for results in load_workdir(copy):
        results.metrics["test_loss"][0] = np.nan
        results.metrics["without_ab_loss"][0, :, 1] = np.inf
        results.save(copy / results.cell.name)
    (path,) = write_analysis(build(copy, networks=0), tmp_path)
    run = strictly(path.read_text())["runs"][0]
    assert run["test_loss"] is run["loss"] is None
    assert None in {ablated["without_ab_loss"] for ablated in run["ablations"].values()}
    assert run["anatomy"] is None


def test_parts_are_told_of_as_one_sweep(numbers, tmp_path):
    parts = []
    for first in (1, 3):
        parts.append(tmp_path / f"from{first}")
        seeds = f"--config.first_seed={first}", f"--config.num_seeds={3 - first or 1}"
        assert call(main, *TRAINED, *seeds, f"--workdir={parts[-1]}") == 0
    merged = analysis(build(*parts, networks=2))
    assert merged == numbers


def test_a_workdir_given_twice_counts_once(trained, numbers, capsys):
    assert analysis(build(trained, trained, networks=2)) == numbers
    assert "counted once: seeds 1, 2, 3" in capsys.readouterr().err


def test_an_old_trajectory_is_completed_from_its_checkpoint(trained, tmp_path):
    """With what it lacks measured at the end; without a checkpoint it stays unknown."""
    (expected, _) = load_workdir(trained)
    copy = tmp_path / "copy"
    shutil.copytree(trained / expected.cell.name, copy / expected.cell.name)
    lacking = {k: v for k, v in expected.metrics.items() if "cluster" not in k}
    blank = CellResults(
        expected.cell, expected.irreps, expected.irrep_dims, expected.steps, lacking
    )
    cell = save_as_old(blank, copy / expected.cell.name)
    np.testing.assert_array_equal(
        cell.results.final("cluster_neurons"), expected.final("cluster_neurons")
    )
    assert np.isnan(cell.results.metrics["cluster_ab"][:, :-1]).all()
    shutil.rmtree(copy / expected.cell.name / "checkpoints")
    (story,) = build(copy).stories
    assert np.isnan(story.results.metrics["cluster_ab"]).all()
    assert story.anatomies == {}


def save_as_old(results, directory):
    """`directory` as code that knew these metrics only would have left it."""
    from repjax.dissection import FinishedCell
    from repjax.storage.checkpoint import Checkpoints

    new = FinishedCell(directory)
    state, step = new._at(None), results.cell.num_steps
    shutil.rmtree(directory / "checkpoints")
    checkpoints = Checkpoints(directory / "checkpoints")
    checkpoints.save(step, {"state": state, "metrics": results.metrics})
    checkpoints.close()
    results.save(directory)
    return FinishedCell(directory)


def test_the_whole_program(trained, tmp_path, capsys):
    """It says where it is, in lines of their own, and what it wrote."""
    pytest.importorskip("matplotlib")
    out = tmp_path / "report"
    assert call(report_program, f"--workdir={trained}", f"--out={out}") == 0
    said = capsys.readouterr()
    assert (
        said.out == f"repjax: 2 cells in {out}: index.html, figures/, analysis.json\n"
    )
    where = [line for line in said.err.splitlines() if line.startswith("repjax: cell")]
    names = sorted(path.parent.name for path in trained.glob("*/config.json"))
    assert where == [
        f"repjax: cell {i} of 2: {name}" for i, name in enumerate(names, 1)
    ]
    assert {"analysis.json", "figures", "index.html"} <= {p.name for p in out.iterdir()}
    assert not (trained / "index.html").exists()
    assert len([*out.glob("figures/*/seed_*")]) == 6


def test_a_small_report_has_fewer_runs_with_figures(trained, tmp_path):
    pytest.importorskip("matplotlib")
    few = "--panels=1", "--networks=1"
    assert call(report_program, f"--workdir={trained}", f"--out={tmp_path}", *few) == 0
    folders = [path.name for path in tmp_path.glob("figures/*/seed_*")]
    assert len(folders) == 2
    assert len(strictly((tmp_path / "analysis.json").read_text())["runs"]) == 6
    assert (tmp_path / "index.html").read_text().count('<details class="run"') == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--workdir: missing"),
        (["--workdir=no/such/place"], "--workdir: 'no/such/place' does not exist"),
        (["--wrokdir=x"], "--wrokdir: unknown; did you mean --workdir?"),
        (["--workdir=x", "--networks=many"], "--networks: 'many' is not allowed; use"),
        (["--workdir=x", "--panels=all"], "--panels: 'all' is not allowed; use"),
        (["--workdir=x", "--networks=-1"], "--networks: '-1' is not allowed; use"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert call(report_program, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_damaged_trajectory_is_one_line(trained, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "S3_mlp" / "trajectory.npz").write_bytes(b"no archive")
    assert call(report_program, f"--workdir={copy}") == 2
    error = capsys.readouterr().err
    assert "not a readable trajectory" in error and error.count("\n") == 1


def test_nothing_finished_is_one_line(tmp_path, capsys):
    write_json(tmp_path / "S3_mlp" / "config.json", tiny_cell().to_json())
    assert call(report_program, f"--workdir={tmp_path}") == 2
    assert "is trained to the end" in capsys.readouterr().err.splitlines()[-1]


# What Chughtai et al. 2023 say of one network, section 5 and its tables.
SEED_2 = {
    "sign": {
        "logit_similarity": ".509",
        "w_a": "6.95",
        "w_u": "9.58",
        "neurons": "7",
        "rho_a": "33.3",
        "rho_b": "33.3",
        "rho_ab": "33.3",
        "residual": "0.0",
        "without_ab_loss": "9.1e-4",
    },
    "standard": {
        "logit_similarity": ".767",
        "w_a": "93.0",
        "w_u": "84.5",
        "neurons": "119",
        "rho_a": "39.6",
        "rho_b": "37.1",
        "rho_ab": "11.3",
        "residual": "12.0",
        "without_ab_loss": "7.55",
    },
}
SEED_2_LOSS = "2.38e-6"


def assert_digits(value: float, shown: str) -> None:
    """`value`, rounded to as many digits as the paper gives, is what it says."""
    places = len(shown.partition("e")[0].partition(".")[2])
    kind = "e" if "e" in shown else "f"
    assert float(f"{value:.{places}{kind}}") == float(shown)


@pytest.fixture(scope="module")
def seed_2(published, tmp_path_factory):
    """The report of one network of the paper, alone in its workdir."""
    pytest.importorskip("torch")
    workdir = tmp_path_factory.mktemp("imported")
    run = published / "S5_MLP_seed2"
    assert call(importer, run, f"--workdir={workdir}") == 0
    return build(workdir)


def test_published_network_is_what_the_paper_says(seed_2):
    (run,) = analysis(seed_2)["runs"]
    assert run["imported"] and run["seed"] == 2
    assert {key["irrep"] for key in run["key_irreps"]} == set(SEED_2)
    assert set(run["clusters"]) == set(SEED_2)
    assert run["neurons_off"] == len(run["anatomy"]["neurons_off"]) == 2
    assert_digits(run["loss"], SEED_2_LOSS)
    assert_digits(run["anatomy"]["loss"], SEED_2_LOSS)
    for irrep, expected in SEED_2.items():
        cluster, fve = run["clusters"][irrep], run["fve"][irrep]
        ablated = run["ablations"][irrep]
        percent = {name: 100 * fve[name] for name in ("w_a", "w_u")}
        for part in ("rho_a", "rho_b", "rho_ab", "residual"):
            percent[part] = 100 * cluster[part]
        actual = {
            "logit_similarity": run["logit_similarity"][irrep],
            "neurons": cluster["neurons"],
            "without_ab_loss": ablated["without_ab_loss"],
        } | percent
        assert actual.keys() == expected.keys()
        for name, shown in expected.items():
            assert_digits(actual[name], shown)
        assert len(run["anatomy"]["neurons"][irrep]) == cluster["neurons"]
        # "No harm": without ρ(a) or ρ(b) the loss is no higher than 1e-5.
        assert max(ablated["without_a_loss"], ablated["without_b_loss"]) < 1e-5

    # Nobody knows when it learned what.
    assert run["memorised_step"] is run["generalised_step"] is run["progress"] is None
    assert [key["step"] for key in run["key_irreps"]] == [None, None]

    # Its maps to logits are near the permutation, and its logits lie in key space.
    (story,) = seed_2.stories
    anatomy = story.anatomies[0]
    for irrep in ("sign", "standard"):
        assert anatomy.logit_map_distances[story.results.irreps.index(irrep)] < 0.1
    assert anatomy.key_space_loss < 1e-5 < 4 < anatomy.complement_loss
