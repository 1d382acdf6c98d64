"""Rival explanations of a trained cell, from its checkpoint to the page."""

import json
from functools import cache

import chex
import numpy as np
import pytest

from repjax.dissection import FinishedCell
from repjax.engine.progress import Progress
from repjax.engine.train import train_sweep
from repjax.metrics import EXPLAINED
from repjax.report.__main__ import build_report
from repjax.report.analysis import write_analysis
from repjax.report.figures import rivals as figures
from repjax.report.means import DASH
from repjax.report.rivals import MEASURES, rival_tables
from repjax.rivals import cosets_of, rivals_of, when_memorised
from repjax.storage.earlier import KEPT
from tests.tiny import tiny_cell


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """S3 and C5, MLP and transformer, with snapshots."""
    folder = tmp_path_factory.mktemp("rivals")
    cells = [
        tiny_cell(
            groups=(group,),
            architectures=(architecture,),
            num_seeds=2,
            num_steps=60,
            checkpoint__snapshots=True,
        )
        for group, architecture in (("S3", "mlp"), ("C5", "mlp"), ("S3", "transformer"))
    ]
    for _ in train_sweep(cells, folder, Progress()):
        pass
    return folder


@cache
def of(workdir, name):
    """The explanations of one cell."""
    return rivals_of(FinishedCell(workdir / name))


def test_every_run_has_every_quantity(workdir):
    """Of the MLP on S3: runs on the first axis, shares in [0, 1], nulls beside."""
    found = of(workdir, "S3_mlp")
    assert {len(values) for values in found.values()} == {2}
    for name in ("fve_class", "fve_ab", "fve_equivariant"):
        for null in ("", "initial_", "shuffled_"):
            assert ((found[null + name] >= 0) & (found[null + name] <= 1)).all()
    for network in ("gcr", "equivariant", "coset", "rho_set"):
        assert found[f"{network}_accuracy"].shape == (2,)
    for null in ("initial_", "shuffled_"):
        for network in ("gcr", "equivariant", "coset", "rho_set"):
            for measure in ("share", "accuracy", "loss"):
                assert found[f"{null}{network}_{measure}"].shape == (2,)
        assert found[f"{null}certified_accuracy"].shape == (2,)
        assert found[f"{null}without_irrep_accuracy"].shape == (2, 3)
        assert (f"{null}swap_accuracy" in found) == (null != "shuffled_")
    assert found["without_irrep_accuracy"].shape == (2, 3)
    assert found["subgroup_order"].tolist() == [[2, 3]] * 2
    assert found["initial_fve_ab"][0] != found["initial_fve_ab"][1]


def test_shuffled_removals_keep_the_labels(workdir):
    """The trivial irrep of the shuffled group is the group's own; others are not."""
    found = of(workdir, "C5_mlp")
    removed, shuffled = (
        found[f"{null}without_irrep_loss"] for null in ("", "shuffled_")
    )
    np.testing.assert_allclose(shuffled[:, 0], removed[:, 0], rtol=1e-4)
    assert not np.isclose(shuffled[:, 1], removed[:, 1], rtol=1e-4).any()


def test_shares_are_those_of_the_trajectory(workdir):
    """What evaluation measured at the last step, and at a snapshot's."""
    cell = FinishedCell(workdir / "S3_mlp")
    found = of(workdir, "S3_mlp")
    for name in ("fve_class", "fve_ab", "fve_equivariant"):
        np.testing.assert_allclose(
            found[name], cell.results.final(name), rtol=1e-5, atol=1e-6
        )
    steps = found["snapshot_steps"][0].tolist()
    assert steps == cell.results.steps.tolist()
    np.testing.assert_array_equal(
        found["snapshot_coset_left"][:, -1], found["coset_left"]
    )


def test_what_a_network_or_group_lacks_is_absent(workdir):
    """A cyclic group of prime order has no subgroups, a transformer no ρ-sets."""
    cyclic = of(workdir, "C5_mlp")
    for null in ("", "initial_", "shuffled_"):
        assert np.isfinite(cyclic[f"{null}distance_irrelevance"]).all()
    assert "initial_gradient_symmetricity" in cyclic
    assert "shuffled_gradient_symmetricity" not in cyclic
    assert np.isnan(cyclic["coset_accuracy"]).all()
    assert np.isnan(cyclic["shuffled_coset_share"]).all()
    assert np.isnan(cyclic["rho_set_accuracy"]).all()
    transformer = of(workdir, "S3_transformer")
    assert "rho_set_accuracy" not in transformer
    assert "coset_accuracy" not in transformer
    assert "distance_irrelevance" not in transformer


def test_the_past_is_trained_again_where_no_snapshot_is(workdir, monkeypatch):
    """All quantities with their bits; none of neurons if it would take too long."""
    cell = FinishedCell(workdir / "S3_mlp")
    accuracy = cell.results.metrics["train_accuracy"]
    accuracy[:], accuracy[0, 2:], accuracy[1, 3:] = 0, 1, 1
    cell.results.metrics["test_accuracy"][:] = 0
    cosets = cosets_of(cell.group)
    kept = when_memorised(cell, cosets)
    monkeypatch.setattr(cell, "snapshots", lambda: [])
    again = when_memorised(cell, cosets)
    for name in ("coset_left", "rho_set_loss", "certified_accuracy", "swap_accuracy"):
        assert name in kept
    chex.assert_trees_all_equal(again, kept)
    for run, index in enumerate((2, 3)):
        measured = cell.results.metrics["fve_ab"][run, index]
        np.testing.assert_allclose(kept["fve_ab"][run], measured, rtol=1e-5)
    (workdir / "S3_mlp" / KEPT).unlink()
    monkeypatch.setattr("repjax.nulls.LONGEST_REPLAY", 0.0)
    blank = when_memorised(cell, cosets)
    assert blank.keys() == {*EXPLAINED, "seconds"}
    assert (blank["seconds"] > 0).all()


def test_the_report_shows_them(workdir, tmp_path):
    """Tables, figures and analysis.json; none unless networks are taken apart."""
    directories = sorted(path.parent for path in workdir.glob("*/config.json"))
    report = build_report(directories, 1, {})
    for story in report.stories:
        shown = rival_tables(story)
        captions = [table.caption for table in shown]
        assert captions[0].startswith("Which explanation?")
        tables = {table.caption.partition(":")[0]: table for table in shown}
        swap = tables["Interventions"].rows[1]
        assert swap[0].text == "swap A and B"
        assert swap[2].value is not None and np.isfinite(swap[2].value)
        assert swap[4].text == DASH
        ideal = tables["Idealised networks, medians over runs"].rows
        assert [row[1].text for row in ideal[:3]] == [*MEASURES.values()]
        assert all(
            np.isfinite(ideal[k][column].value)
            for k in range(3)
            for column in (2, 4, 6)
        )
        assert figures.explained_shares(story) is not None
        assert figures.explained_over_training(story) is not None
    path = write_analysis(report, tmp_path)[0]
    cells = json.loads(path.read_text())["cells"]
    assert all(len(cell["rivals"]["fve_class"]) == 2 for cell in cells)
    bare = build_report(directories, 0, {})
    assert all(rival_tables(story) == [] for story in bare.stories)
