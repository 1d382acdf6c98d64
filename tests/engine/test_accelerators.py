"""Programs of GPUs and TPUs: lowered for them, and run on a CPU in their layout."""

from dataclasses import replace
from functools import partial

import chex
import jax
import numpy as np
import pytest

from repjax.analysis import passes
from repjax.engine import ensemble as ensemble_module
from repjax.engine import plan
from repjax.engine.ensemble import Ensemble
from tests.tiny import tiny_cell

GIB = 2**30


def cells(architecture: str):
    """Two groups and two train fractions, so that pairs and irreps are padded."""
    return [
        tiny_cell(architectures=(architecture,), num_seeds=2),
        tiny_cell(
            groups=("C6",),
            architectures=(architecture,),
            num_seeds=1,
            train_fraction=0.4,
        ),
    ]


def laid_out(monkeypatch, on_gpu: bool, lists: bool = True) -> None:
    """From here on ensembles are laid out, and evaluated, as on an accelerator."""

    def plan_for(cell, devices=None):
        return plan.make_plan(cell, 1, False, 16 * GIB, on_gpu=on_gpu)

    monkeypatch.setattr(plan, "LISTED_FROM", 2 if lists else 1000)
    monkeypatch.setattr(ensemble_module, "plan_for", plan_for)
    monkeypatch.setattr(passes, "_on_cpu", lambda: False)


def programs(ensemble):
    """A call that traces each program, by its name."""
    state = jax.eval_shape(ensemble._init.function, ensemble._data)
    data, bases, turns = ensemble._data, ensemble._bases, ensemble._turns
    measured = state, data.basis, turns, bases
    training = state, data, bases.labels, turns, np.int32(3)
    return {
        "init": partial(ensemble._init.function.trace, data),
        "train": partial(ensemble._train.function.trace, *training),
        "tables": partial(ensemble._evaluate_tables.function.trace, *measured),
        "rest": partial(ensemble._evaluate_rest.function.trace, *measured),
    }


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_every_program_is_lowered_for_accelerators(monkeypatch, architecture, lists):
    laid_out(monkeypatch, on_gpu=True, lists=lists)
    ensemble = Ensemble(cells(architecture))
    assert ensemble.plan.lists_pairs is lists
    for name, trace in programs(ensemble).items():
        if lists and name != "train":
            continue  # has none, and was lowered without
        traced = trace()
        for platform in ("cuda", "tpu"):
            text = traced.lower(lowering_platforms=(platform,)).as_text()
            assert "stablehlo.while" in text, (name, platform)
            # Atomic on a GPU: other bits every time.
            assert name != "train" or "scatter" not in text


def trained(architecture: str):
    """An ensemble on one device, its state and losses after 7 steps."""
    ensemble = Ensemble(cells(architecture), jax.devices()[:1])
    state, loss = ensemble.train(ensemble.init(), 7)
    return ensemble, state, ensemble.fetch((state, loss))


def in_tables(ensemble, state):
    return ensemble.evaluate(state, only_tables=True)


@pytest.fixture(scope="module", params=["mlp", "transformer"])
def on_cpu(request):
    """Name, state and losses, and metrics of an architecture as a CPU computes them."""
    ensemble, state, found = trained(request.param)
    return request.param, found, in_tables(ensemble, state)


@pytest.mark.parametrize("lists", [False, True])
def test_an_accelerators_branches_give_a_cpus_numbers(monkeypatch, on_cpu, lists):
    """One-hot products or lists, one block, batches of runs, two steps a turn.

    Of the three runs two are evaluated together, then the third one.
    """
    architecture, expected, metrics = on_cpu
    laid_out(monkeypatch, on_gpu=True, lists=lists)
    monkeypatch.setattr(plan, "networks_at_once", lambda order, width: 2)
    monkeypatch.setattr(
        jax.lax, "platform_dependent", lambda *given, cpu, default: default(*given)
    )
    ensemble, state, found = trained(architecture)
    assert ensemble.plan.at_once == 3 and ensemble.plan.steps_a_turn == 2
    assert ensemble.plan.evaluated == 2
    chex.assert_trees_all_close(found, expected, rtol=1e-3, atol=1e-4)
    if not lists:  # measuring needs none
        measured = in_tables(ensemble, state)
        chex.assert_trees_all_close(measured, metrics, rtol=1e-3, atol=1e-4)


def test_lists_and_turns_follow_the_measurements():
    """Of an H200: lists for S6 only, two steps a turn for a few runs of A5 only."""
    small, large = tiny_cell(groups=("A5",)), tiny_cell(groups=("S6",))
    on_gpu = partial(plan.make_plan, num_devices=1, on_cpu=False, memory=16 * GIB)
    assert not on_gpu(small, on_gpu=True).lists_pairs
    assert on_gpu(large, on_gpu=True).lists_pairs
    assert not on_gpu(large, on_gpu=False).lists_pairs  # a TPU: never timed
    many = replace(small, seeds=tuple(range(10_000)))
    turns = [on_gpu(cell, on_gpu=True).steps_a_turn for cell in (small, many)]
    assert turns == [2, 1]
    assert on_gpu(small, on_gpu=False).steps_a_turn == 1
