"""The mistakes behind published numbers: put back, and taken out again.

docs/errata.md tells what they are.
"""

import csv
import json
import re

import jax
import numpy as np
import pytest

from benchmarks.parity import PUBLISHED_NAMES
from repjax.analysis.basis import build_basis
from repjax.analysis.evaluate import evaluate
from repjax.analysis.passes import sum_over_pairs
from repjax.groups import build_group, real_irreps
from repjax.metrics import KEY_SIMILARITY
from repjax.models import build_model
from repjax.reference.runs import PublishedRun, read_run
from repjax.report.means import format_value
from tests.as_published import (
    RIGHT_AXIS,
    WRONG_AXIS,
    Scorer,
    a5_rotations,
    rotation_entries,
)
from tests.compilation import quick_jit
from tests.conftest import REPOSITORY

HIDDEN = ("fve_mlp", "fve_mlp_ab", "excluded_loss", "restricted_loss")


@pytest.fixture
def load(published):
    """(run, published metrics by our names) of a folder."""
    pytest.importorskip("torch")

    def load(name: str) -> tuple[PublishedRun, dict[str, float]]:
        metrics = json.loads((published / name / "summary_metrics.json").read_text())
        ours = {column: metrics[name] for column, name in PUBLISHED_NAMES.items()}
        return read_run(published / name), ours

    return load


def project_values(run: PublishedRun) -> dict[str, np.ndarray]:
    """What repjax makes of a network."""
    group = build_group(run.cell.group)
    model = build_model(run.cell, group.order)
    score = quick_jit(lambda *arguments: evaluate(model, *arguments))
    return score({"params": run.weights}, run.train_pairs, build_basis(group))


def score_a5(run: PublishedRun, axis: float) -> dict[str, float]:
    """Everything that depends on A5's irreps, the 3-dimensional ones about `axis`."""
    matrices = {irrep.name: irrep.matrices for irrep in real_irreps(build_group("A5"))}
    del matrices["trivial"]
    matrices |= a5_rotations(axis)
    scorer = Scorer(run)
    similarity = {
        name: scorer.similarity(np.trace(matrix, axis1=1, axis2=2))
        for name, matrix in matrices.items()
    }
    columns = {
        name: matrix.reshape(60, -1)
        for name, matrix in matrices.items()
        if similarity[name] > KEY_SIMILARITY
    }
    squares = sum(value**2 for value in similarity.values())
    return (
        {"fve_logits": squares} | scorer.of_weights(columns) | scorer.of_hidden(columns)
    )


@pytest.mark.parametrize("name", ["A5_MLP_seed1", "A5_T_seed1"])
def test_a5_rotates_about_the_wrong_axis(load, name):
    run, published = load(name)
    mistaken, right = score_a5(run, WRONG_AXIS), score_a5(run, RIGHT_AXIS)
    ours = project_values(run)
    for column, value in mistaken.items():
        assert value == pytest.approx(published[column], rel=1e-4), column
        assert right[column] == pytest.approx(float(ours[column]), rel=1e-4), column
        assert value != pytest.approx(right[column], rel=1e-4), column


def test_only_the_right_axis_gives_a_representation():
    table = build_group("A5").table
    for matrices in a5_rotations(RIGHT_AXIS).values():
        products = matrices[:, None] @ matrices
        # Their words multiply from the other end: ρ(ab) = ρ(b)ρ(a), the same functions.
        np.testing.assert_allclose(products, matrices[table.T], atol=1e-12)
    for matrices in a5_rotations(WRONG_AXIS).values():
        assert np.abs(matrices[:, None] @ matrices - matrices[table.T]).max() > 1


@pytest.mark.parametrize("name", ["C113_MLP_seed1", "C113_T_seed1"])
def test_c113_orthonormalises_four_columns_of_rank_two(load, name, published):
    run, reference = load(name)
    keys = (published / name / "key_reps_in_order.txt").read_text().split()
    columns = {
        key: rotation_entries(113, int(key.removeprefix("freq_"))) for key in keys
    }
    for entries in columns.values():
        singular = np.linalg.svd(entries.astype(float), compute_uv=False)
        assert (singular[2:] < 1e-6 * singular[0]).all()
    scorer, ours = Scorer(run), project_values(run)
    right = scorer.of_hidden(columns, keep=2)
    for column in HIDDEN:
        assert right[column] == pytest.approx(float(ours[column]), rel=1e-4), column

    # The other two columns are round-off, another one in each order of the pairs: the
    # published digits cannot be had again, only their size. C113 MLP seed 1 with pair
    # 0, 1000, 7000 first: MLP 89.6, 90.2, 89.1 % (published 91.1, exact 87.1), excluded
    # 5.30, 6.24, 5.51 (6.22, 5.04), restricted 2.1e-6, 1.3e-2, 1.9e-6 (9.8e-3, 2.2e-6).
    draws = [scorer.of_hidden(columns, roll=roll) for roll in (0, 1000, 7000)]
    for column in HIDDEN[:3]:
        excess = np.mean([draw[column] for draw in draws]) - right[column]
        assert 0.1 < excess / (reference[column] - right[column]) < 10, column
    worst = max(draw["restricted_loss"] for draw in draws)
    assert min(worst, reference["restricted_loss"]) > 100 * right["restricted_loss"]


def test_s6_transformer_adds_the_means_of_eight_chunks(load):
    run, published = load("S6_T_seed1")
    group = build_group("S6")
    model, labels = build_model(run.cell, group.order), build_basis(group).labels
    with jax.default_matmul_precision("highest"):
        sums = jax.jit(lambda params: sum_over_pairs(model, params, labels))
        losses = np.asarray(sums({"params": run.weights}).loss, np.float64).ravel()
    train = np.isin(np.arange(losses.size), run.train_pairs)
    for column, pairs in (("train_loss", train), ("test_loss", ~train)):
        chunks = np.split(losses[pairs], 8)
        added = sum(chunk.mean() for chunk in chunks)
        assert added == pytest.approx(published[column], rel=1e-4)
        assert added == pytest.approx(8 * losses[pairs].mean())


def test_page_has_the_values_of_the_table():
    """Every cell of docs/errata.md, published and exact, as the paper prints it."""
    page = (REPOSITORY / "docs" / "errata.md").read_text()
    lines = {
        tuple(re.findall(r"[^|\s][^|]*[^|\s]|[^|\s]", line)[:3]): line
        for line in page.splitlines()
        if line.startswith("|")
    }
    source = REPOSITORY / "repjax" / "report" / "paper_table3.csv"
    rows = list(csv.DictReader(source.read_text().splitlines()))
    assert len(rows) == 28
    for row in rows:
        line = lines[row["group"], row["architecture"], row["source"]]
        for metric in list(row)[3:]:
            assert format_value(metric, float(row[metric])) in line
