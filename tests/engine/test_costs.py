"""Estimated seconds against measured ones: within a factor of 2."""

from dataclasses import replace

import pytest

from experiments import quickstart
from repjax.engine.costs import CORE, RATES, Layout, estimate, num_evaluations
from repjax.engine.schedule import evaluation_steps
from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand

SMALL_TRANSFORMER = {
    "transformer.num_heads": 2,
    "transformer.d_model": 32,
    "transformer.d_head": 16,
    "transformer.d_mlp": 64,
}

# CPU seconds of one run on 2 cores of an AMD EPYC: µs a step, ms an evaluation.
MEASURED = [
    ("C2", "transformer", {}, 905, 1.06),
    ("C7", "transformer", {}, 1189, 1.76),
    ("D6", "transformer", {}, 1570, 3.3),
    ("C31", "transformer", {}, 4001, 14.6),
    ("A5", "transformer", {}, 14_800, 44.8),
    ("C7", "transformer", SMALL_TRANSFORMER, 72, 0.58),
    ("C31", "transformer", SMALL_TRANSFORMER, 372, 3.17),
    ("C5", "mlp", {"mlp.embed_dim": 16, "mlp.hidden_dim": 16}, 13.7, 0.40),
    ("S3", "mlp", {"mlp.embed_dim": 64, "mlp.hidden_dim": 64}, 22.9, 0.43),
    ("C31", "mlp", {"mlp.embed_dim": 64, "mlp.hidden_dim": 64}, 143, 2.52),
    ("C7", "mlp", {}, 84, 0.57),
    ("D6", "mlp", {}, 129, 0.63),
    ("C31", "mlp", {}, 327, 3.24),
    ("A5", "mlp", {}, 1128, 9.35),
    ("C16", "bilinear", {}, 182, 0.87),
]


def cell_of(group, architecture, sizes):
    config = quickstart.get_config()
    config.groups, config.architectures, config.overrides = (
        (group,),
        (architecture,),
        (),
    )
    config.num_seeds = 1
    config.update_from_flattened_dict(sizes)
    (cell,) = expand(from_config_dict(config))
    return cell


def estimated(cells):
    return estimate([cells], [Layout(1, 1, 1)], 1, RATES[CORE], on_cpu=True)


@pytest.mark.parametrize(("group", "architecture", "sizes", "step", "look"), MEASURED)
def test_steps_and_evaluations(group, architecture, sizes, step, look):
    cell = cell_of(group, architecture, sizes)
    parts = estimated([cell])
    assert 0.5 < parts["training"] / (1e-6 * step * cell.num_steps) < 2
    assert 0.5 < parts["evaluations"] / (1e-3 * look * num_evaluations(cell)) < 2


@pytest.mark.parametrize("asked", [2, 21, 100, 1000])
def test_evaluations_at_the_same_step_count_once(asked):
    cell = replace(cell_of("D6", "mlp", {}), num_steps=20)
    often = replace(cell, evaluation=replace(cell.evaluation, num_evaluations=asked))
    assert num_evaluations(often) == len(evaluation_steps(20, asked)) <= 21
    all_, most = (
        estimated(
            [replace(cell, evaluation=replace(cell.evaluation, num_evaluations=n))]
        )
        for n in (100, 1000)
    )
    assert all_ == most


def test_files_of_thousands_of_cells_count():
    """5,000 cells take 17 s for their files and tables, and 1 s for training."""
    cell = replace(cell_of("C5", "mlp", MEASURED[7][2]), num_steps=20)
    parts = estimated([cell] * 5000)
    assert parts["training"] < parts["files"]
    assert 17 / 2 < parts["files"] < 17 * 2
