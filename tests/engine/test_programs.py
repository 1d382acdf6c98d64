"""Cells of one order share their programs, and no cell's numbers change by that."""

from dataclasses import replace

import chex
import jax
import numpy as np
import pytest

from repjax.engine.ensemble import Ensemble
from repjax.engine.parts import build_ensemble
from repjax.engine.programs import Programs, program_key
from tests.compilation import count_traces
from tests.tiny import tiny_cell


def measured(ensemble):
    """State and losses after 20 steps, and metrics."""
    state, loss = ensemble.train(ensemble.init(), 20)
    return ensemble.fetch((state, loss)), ensemble.evaluate(state)


def cells_of_one_shape(architecture: str):
    """Groups, tasks, splits, optimisers, scales and seeds all differ."""
    options = {"architectures": (architecture,)}
    return [
        tiny_cell(num_seeds=3, **options),
        tiny_cell(groups=("C6",), num_seeds=4, train_fraction=0.9, **options),
        tiny_cell(task="a*b^-1", train_fraction=0.4, num_seeds=3, **options),
        tiny_cell(
            optimizer__learning_rate=3e-3,
            optimizer__weight_decay=0.1,
            optimizer__beta2=0.9,
            transformer__init_scale=2.0,
            num_seeds=3,
            first_seed=7,
            **options,
        ),
    ]


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_one_compilation_for_cells_of_one_shape_and_their_own_bits(
    monkeypatch, architecture
):
    cells = cells_of_one_shape(architecture)
    alone = [measured(build_ensemble([cell])) for cell in cells]
    traces = count_traces(monkeypatch)
    programs = Programs([[cell] for cell in cells])
    after_first = None
    for cell, expected in zip(cells, alone, strict=True):
        state, metrics = measured(programs.ensemble([cell]))
        chex.assert_trees_all_equal(state, expected[0])
        chex.assert_trees_all_close(metrics, expected[1], rtol=1e-5, atol=1e-6)
        after_first = after_first or dict(traces)
    assert traces == after_first


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_no_run_depends_on_the_others_of_its_round(architecture):
    """Other groups, tasks, splits, optimisers and seeds lie before and after it."""
    cells = cells_of_one_shape(architecture)
    state, metrics = measured(Ensemble(cells))
    first = 0
    for cell in cells:
        alone, expected = measured(Ensemble([cell]))
        rows = slice(first, first := first + len(cell.seeds))
        pairs = alone[0].train_pairs.shape[1]
        mine = jax.tree.map(lambda x, rows=rows: x[rows], state)
        own = mine[0].replace(train_pairs=mine[0].train_pairs[:, :pairs])
        chex.assert_trees_all_equal((own, mine[1]), alone)
        for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
            np.testing.assert_array_equal(metrics[name][rows], expected[name])
        for name, values in expected.items():
            shown = metrics[name][rows]
            shown = shown[..., : values.shape[-1]] if values.ndim > 1 else shown
            np.testing.assert_allclose(shown, values, rtol=1e-5, atol=1e-6)


def test_a_group_with_more_than_a_block_of_pairs_keeps_its_bits():
    """C16 has 256 pairs, which take two blocks of a core."""
    few = tiny_cell(groups=("C16",), train_fraction=0.3)
    many = replace(few, train_fraction=0.98)
    shared = Programs([[few], [many]])
    for cell in (few, many):
        state, _ = measured(shared.ensemble([cell]))
        chex.assert_trees_all_equal(state, measured(Ensemble([cell]))[0])


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_batched_runs_keep_their_bits_beside_other_train_fractions(architecture):
    """Two at once on a core: alone, and in a round with more runs and more pairs."""
    options = {"architectures": (architecture,), "runs_per_device": 2}
    few = tiny_cell(groups=("C16",), train_fraction=0.3, num_seeds=1, **options)
    cells = [few, replace(few, train_fraction=0.98, seeds=(0, 7))]
    devices = jax.devices()[:1]

    def trained(cells):
        ensemble = Ensemble(cells, devices)
        assert ensemble.plan.at_once == 2
        return ensemble.fetch(ensemble.train(ensemble.init(), 20))

    (alone, loss), (beside, losses) = trained(cells[:1]), trained(cells)
    np.testing.assert_array_equal(losses[:1], loss)
    mine = jax.tree.map(lambda x: x[:1], (beside.params, beside.opt_state))
    chex.assert_trees_all_equal(mine, (alone.params, alone.opt_state))


def test_a_fetched_state_has_its_own_pairs():
    few, many = cells_of_one_shape("mlp")[1:3]
    ensemble = Programs([[few], [many]]).ensemble([many])
    state = ensemble.fetch(ensemble.init())
    assert state.train_pairs.shape == (3, int(0.4 * 36))
    assert ensemble.abstract().train_pairs.shape == (3, int(0.4 * 36))
    again = ensemble.fetch(ensemble.place(state))
    np.testing.assert_array_equal(again.train_pairs, state.train_pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": ("C7",)},
        {"mlp__hidden_dim": 13},
        {"architectures": ("bilinear",)},
        {"matmul_precision": "high"},
    ],
)
def test_other_shapes_have_programs_of_their_own(changes):
    assert program_key([tiny_cell(**changes)]) != program_key([tiny_cell()])


def test_sizes_of_another_architecture_do_not_matter():
    assert program_key([tiny_cell(transformer__d_mlp=9)]) == program_key([tiny_cell()])
