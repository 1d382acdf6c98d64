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
    """Each program, traced, by its name."""
    state = jax.eval_shape(ensemble._init, ensemble._data)
    data, bases, turns = ensemble._data, ensemble._bases, ensemble._turns
    measured = state, data.basis, turns, bases
    return {
        "init": ensemble._init.trace(data),
        "train": ensemble._train.trace(state, data, bases.labels, turns, np.int32(3)),
        "tables": ensemble._evaluate_tables.trace(*measured),
        "rest": ensemble._evaluate_rest.trace(*measured),
    }


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_every_program_is_lowered_for_accelerators(monkeypatch, architecture, lists):
    laid_out(monkeypatch, on_gpu=True, lists=lists)
    ensemble = Ensemble(cells(architecture))
    assert ensemble.plan.lists_pairs is lists
    for name, traced in programs(ensemble).items():
        for platform in ("cuda", "tpu"):
            text = traced.lower(lowering_platforms=(platform,)).as_text()
            assert "stablehlo.while" in text, (name, platform)
            # Atomic on a GPU: other bits every time.
            assert name != "train" or "scatter" not in text


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_an_accelerators_branches_give_a_cpus_numbers(monkeypatch, architecture, lists):
    """One-hot products or lists, one block, batches of runs, two steps a turn."""

    def numbers():
        ensemble = Ensemble(cells(architecture), jax.devices()[:1])
        state, loss = ensemble.train(ensemble.init(), 7)
        found = ensemble.fetch((state, loss))
        return found, ensemble.evaluate(state), ensemble.plan

    on_cpu = numbers()
    laid_out(monkeypatch, on_gpu=True, lists=lists)
    default = partial(lambda *arguments, cpu, default: default(*arguments))
    monkeypatch.setattr(jax.lax, "platform_dependent", default)
    there = numbers()
    assert there[2].at_once == 3 and there[2].steps_a_turn == 2
    chex.assert_trees_all_close(there[:2], on_cpu[:2], rtol=1e-3, atol=1e-4)


def test_lists_and_turns_follow_the_measurements():
    """Of an H200: lists for S6 only, two steps a turn for a few runs of A5 only."""
    small, large = tiny_cell(groups=("A5",)), tiny_cell(groups=("C720",))
    on_gpu = partial(plan.make_plan, num_devices=1, on_cpu=False, memory=16 * GIB)
    assert not on_gpu(small, on_gpu=True).lists_pairs
    assert on_gpu(large, on_gpu=True).lists_pairs
    assert not on_gpu(large, on_gpu=False).lists_pairs  # a TPU: never timed
    many = replace(small, seeds=tuple(range(10_000)))
    turns = [on_gpu(cell, on_gpu=True).steps_a_turn for cell in (small, many)]
    assert turns == [2, 1]
    assert on_gpu(small, on_gpu=False).steps_a_turn == 1
