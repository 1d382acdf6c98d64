"""Reports that nobody trained: curves of any shape, networks of any kind."""

from dataclasses import replace

import numpy as np

from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.report.periodic import Member, periodic_table
from repjax.report.story import Anatomy, NeuronMaps, Report, Story
from repjax.statistics.phases import courses
from repjax.statistics.universality import universality
from repjax.storage.results import CellResults
from tests.made_up import make_cell


def make_curves(
    group="S4", num_runs=2, num_irreps=5, num_key=2, num_evaluations=30, noise=0.0
) -> CellResults:
    """Runs that memorise, then learn `num_key` irreps each, then generalise.

    Run r learns the irreps r + 1, r + 2, …, one after the other.
    """
    rng = np.random.default_rng(0)
    cell = make_cell(group, seeds=tuple(range(1, num_runs + 1)))
    steps = np.unique(np.geomspace(1, 20_000, num_evaluations).astype(int))
    steps = np.append(0, steps)[:num_evaluations]
    time = np.linspace(0, 1, len(steps)) if len(steps) > 1 else np.ones(1)
    shape = (num_runs, len(steps))
    metrics = {name: np.full(shape, 0.25) for name in (*SCALARS, *EXPLAINED, *COUNTS)}
    metrics |= {name: np.zeros((*shape, num_irreps)) for name in PER_IRREP}
    metrics["train_loss"][:] = 4 * 1e-6 ** np.clip(2 * time, 0, 1)
    metrics["test_loss"][:] = 4 * 1e-5 ** np.clip(3 * time - 2, 0, 1)
    metrics["excluded_loss"][:] = 1 + np.abs(time - 0.5)
    metrics["train_accuracy"][:] = time > 0.3
    metrics["test_accuracy"][:] = time > 0.8
    for run in range(num_runs):
        for place in range(num_key):
            irrep = 1 + (run + place) % (num_irreps - 1)
            rise = np.clip(3 * time - 1 - place / num_key, 0, 1) / (1 + place)
            for name in PER_IRREP:
                scale = 4 if name.endswith("loss") else 0.8
                metrics[name][run, :, irrep] = scale * rise
    metrics["cluster_neurons"] *= 10
    for name in set(metrics) - {"logit_similarity", "test_accuracy"}:
        metrics[name] += noise * rng.random(metrics[name].shape)
    names = ("trivial", *(f"freq_{k}" for k in range(1, num_irreps)))
    metrics["trained_steps"][:] = steps
    return CellResults(cell, names, (1,) + (2,) * (num_irreps - 1), steps, metrics)


def without_past(results: CellResults) -> CellResults:
    """Only the last evaluation is known, as of networks that were imported."""
    metrics = {name: values.copy() for name, values in results.metrics.items()}
    for values in metrics.values():
        values[:, :-1] = np.nan
    return replace(results, metrics=metrics)


def make_anatomy(results: CellResults, run=0, order=24, hidden=16) -> Anatomy:
    rng = np.random.default_rng(run)
    num_irreps, key = len(results.irreps), np.flatnonzero(results.is_key[run])
    maps = {int(i): rng.normal(size=(4, 4)) for i in key}
    activations = rng.random((3, order, order))
    return Anatomy(
        in_cluster=rng.random((num_irreps, hidden)) > 0.5,
        is_off=np.arange(hidden) == 0,
        received=rng.random((num_irreps, hidden)),
        hidden_power=rng.random(hidden),
        activations={int(i): NeuronMaps(np.arange(3), activations) for i in key},
        logit_maps=maps,
        ideal_maps=maps,
        logit_map_distances=rng.random(num_irreps),
        unembedding=rng.normal(size=(hidden, order)),
        irrep_of_column=np.sort(np.arange(order) % num_irreps),
        characters=rng.normal(size=(num_irreps, order)),
        loss=np.array(1e-6),
        key_space_loss=np.array(1e-6),
        complement_loss=np.array(4.0),
    )


def tell(results: CellResults, num_networks=0, order=24) -> Story:
    networks = range(min(num_networks, results.num_runs))
    return Story(
        name=results.cell.name,
        order=order,
        types=("real", *["complex"] * (len(results.irreps) - 1)),
        results=results,
        courses=courses(results),
        universality=universality(results),
        anatomies={run: make_anatomy(results, run, order) for run in networks},
    )


def report_of(*stories: Story, manifests=None) -> Report:
    members = [Member(s.name, s.results, s.order, s.types) for s in stories]
    return Report(stories, periodic_table(members), manifests or {})
