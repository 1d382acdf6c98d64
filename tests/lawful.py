"""Cells of many runs whose law of selection is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from repjax.report.selection import Symmetry, select
from repjax.report.story import Story
from repjax.storage.results import CellResults
from tests.told import make_curves, tell

NUM_EVALUATIONS = 20


def lawful(
    is_key: np.ndarray,
    dims: Sequence[int] | None = None,
    group: str = "S4",
    seed: int = 0,
) -> CellResults:
    """Runs that generalise, with these key irreps beside the trivial one.

    Each irrep is learned at an evaluation of its own, in the order of its dimension,
    and has 3·d² neurons.
    """
    num_runs, num_irreps = is_key.shape
    results = make_curves(group, num_runs, num_irreps + 1, 0, NUM_EVALUATIONS)
    dims = dims or (2,) * num_irreps
    rank = np.argsort(np.argsort(dims, kind="stable"))
    first = NUM_EVALUATIONS // 3 + rank
    learned = np.arange(NUM_EVALUATIONS)[:, None] >= first
    height = 0.2 + 0.1 * np.random.default_rng(seed).random(is_key.shape)
    similarity = results.metrics["logit_similarity"]
    similarity[:, :, 1:] = is_key[:, None] * learned * height[:, None]
    similarity[:, :, 0] = height[:, :1]  # the trivial irrep tells runs apart
    neurons = results.metrics["cluster_neurons"]
    neurons[:, -1, 1:] = 3 * is_key * np.square(dims)
    return replace(results, irrep_dims=(1, *dims))


def lawful_story(
    results: CellResults,
    automorphisms: Sequence[Sequence[int]] = (),
    energies: dict[str, np.ndarray] | None = None,
    rho_set_sizes: Sequence[float] | None = None,
) -> Story:
    """A story with its law of selection.

    Args:
        results: all runs.
        automorphisms: images of all irreps, the trivial one first.
        energies: of all irreps at step 0.
        rho_set_sizes: of all irreps.
    """
    moves = np.reshape(np.array(automorphisms, int), (-1, len(results.irreps)))
    sizes = None if rho_set_sizes is None else np.array(rho_set_sizes, float)
    story = tell(results)
    found = select(results, story.courses, Symmetry(moves, sizes), energies=energies)
    return replace(story, selection=found)
