"""Are irreps that an automorphism exchanges learned equally often?

Initial weights and splits have the same distribution however the group's elements are
renumbered. An automorphism leaves the multiplication table as it is, so the key set of
a run is exactly as likely as each of its images. This holds for every optimiser and
width: where the tests below reject it, the initialisation, the splits, the seeds or the
measurement is at fault.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse, special

from repjax.statistics.intervals import SEED
from repjax.statistics.key_sets import row_items
from repjax.statistics.orbits import Automorphisms, SetOrbit, irrep_orbits, set_orbits
from repjax.statistics.significance import (
    NUM_DRAWS,
    Significance,
    random_p_value,
    tolerance,
)

MAX_OUTCOMES = 20_000
"""Up to so many outcomes are enumerated."""


@dataclass(frozen=True, eq=False)
class Exchangeability:
    """Two tests of the same null, on all runs whose key set an automorphism moves.

    Attributes:
        irreps: test on the number of runs in which each irrep is key.
        sets: test on the number of runs that have each key set.
        orbits: orbit of each irrep, numbered by first irrep.
        num_left_out: runs left out since the orbit of their set is too large.
    """

    irreps: Significance
    sets: Significance
    orbits: Int[np.ndarray, " irrep"]
    num_left_out: int


def exchangeability(
    is_key: Bool[np.ndarray, "run irrep"],
    automorphisms: Automorphisms,
    num_draws: int = NUM_DRAWS,
) -> Exchangeability | None:
    """Test whether key sets are as frequent as their images under automorphisms.

    Both statistics are G = 2 Σ n log(n/e) (Woolf, Ann. Hum. Genet. 21, 1957), where e
    is the mean of n over the orbit. Their distribution is not taken to be χ²: each
    run's set is replaced by a random image, or all outcomes are enumerated if they are
    few. The effect is √((G − mean G of the null)/total), with the total of all n: 0.1
    is small and 0.5 large (Cohen's w, 1988).

    The irreps' test is the stronger one if few irreps are favoured. A seed used twice
    shows in the sets' test, and in `num_repeated`.

    Args:
        is_key: key irreps of each run.
        automorphisms: images of the irreps under automorphisms that generate Aut(G).
        num_draws: number of random outcomes.

    Returns:
        None if there is no run with a set that moves.
    """
    orbits, num_left_out = set_orbits(is_key, automorphisms)
    if not orbits:
        return None
    of_irrep = irrep_orbits(automorphisms)
    num_runs = int(sum(orbit.counts.sum() for orbit in orbits))
    counts = sum(orbit.counts @ orbit.images for orbit in orbits)
    observed = np.array(
        [
            _irrep_statistic(counts[None].astype(float), of_irrep)[0],
            sum(_set_statistic(orbit.counts[None], orbit)[0] for orbit in orbits),
        ]
    )
    exact = _num_outcomes(orbits) <= MAX_OUTCOMES
    if exact:
        probability, sets, irreps = _all_outcomes(orbits)
    else:
        sets, irreps = _random_outcomes(orbits, num_draws)
        probability = np.full(num_draws, 1 / num_draws)
    moved = np.bincount(of_irrep)[of_irrep] > 1
    totals = int(counts[moved].sum()), num_runs
    drawn = _irrep_statistic(irreps, of_irrep), sets

    def result(value: float, null: np.ndarray, total: int) -> Significance:
        if exact:
            p_value = float(probability[null >= value - tolerance(value)].sum())
        else:
            p_value = random_p_value(value, null)
        effect = float(np.sqrt(max(0.0, value - probability @ null) / total))
        return Significance(float(value), min(1.0, p_value), exact, effect, num_runs)

    of_irreps, of_sets = map(result, observed, drawn, totals)
    return Exchangeability(of_irreps, of_sets, of_irrep, num_left_out)


def num_repeated(values: Float[np.ndarray, "run column"]) -> int:
    """Return the number of runs with exactly the numbers of an earlier run.

    Runs of different seeds share no similarity to the last digit. Runs with a number
    that is not finite are not counted.
    """
    rows = values[np.isfinite(values).all(axis=1)]
    return len(rows) - len(np.unique(row_items(rows)))


def _irrep_statistic(
    counts: Float[np.ndarray, "outcome irrep"], orbits: Int[np.ndarray, " irrep"]
) -> Float[np.ndarray, " outcome"]:
    """Return G of the number of runs in which each irrep is key."""
    members = (orbits[:, None] == np.arange(orbits.max() + 1)).astype(float)
    totals = counts @ members
    expected = special.xlogy(totals, totals / members.sum(axis=0)).sum(axis=1)
    return 2 * (special.xlogy(counts, counts).sum(axis=1) - expected)


def _set_statistic(
    counts: Int[np.ndarray, "outcome image"], orbit: SetOrbit
) -> Float[np.ndarray, " outcome"]:
    """Return G of the number of runs that have each set of an orbit."""
    total = orbit.counts.sum()
    expected = special.xlogy(total, total / len(orbit.counts))
    return 2 * (special.xlogy(counts, counts).sum(axis=1) - expected)


def _random_outcomes(
    orbits: list[SetOrbit], num_draws: int
) -> tuple[Float[np.ndarray, " draw"], Float[np.ndarray, "draw irrep"]]:
    """Return G of sets, and counts of irreps, of random images of every run's set."""
    generator = np.random.default_rng(SEED)
    images = np.concatenate([orbit.images for orbit in orbits]).astype(np.float32)
    sizes = np.array([len(orbit.counts) for orbit in orbits])
    runs = np.array([orbit.counts.sum() for orbit in orbits])
    offset = np.repeat(np.cumsum(sizes) - sizes, runs)
    size, num_runs = np.repeat(sizes, runs), runs.sum()
    expected = special.xlogy(runs, runs / sizes).sum()
    terms = special.xlogy(np.arange(runs.max() + 1), np.arange(runs.max() + 1))
    sets, irreps = [], []
    at_once = max(1, 2 * 10**6 // num_runs)
    for start in range(0, num_draws, at_once):
        num = min(at_once, num_draws - start)
        drawn = offset + (generator.random((num, num_runs)) * size).astype(np.int64)
        ends = num_runs * np.arange(num + 1)
        counts = sparse.csr_array(
            (np.ones(drawn.size, np.float32), drawn.ravel(), ends),
            shape=(num, len(images)),
        )
        irreps.append(counts @ images)
        counts.sum_duplicates()
        logs = terms[counts.data.astype(np.int64)]
        sets.append(2 * (np.add.reduceat(logs, counts.indptr[:-1]) - expected))
    return np.concatenate(sets), np.concatenate(irreps).astype(float)


def _num_outcomes(orbits: list[SetOrbit]) -> int:
    """Return the number of ways to distribute the runs of each orbit over its sets."""
    return prod(
        comb(int(orbit.counts.sum()) + len(orbit.counts) - 1, len(orbit.counts) - 1)
        for orbit in orbits
    )


def _all_outcomes(
    orbits: list[SetOrbit],
) -> tuple[
    Float[np.ndarray, " outcome"],
    Float[np.ndarray, " outcome"],
    Float[np.ndarray, "outcome irrep"],
]:
    """Return the probability, G of sets, and counts of irreps of every outcome."""
    probability, sets = np.ones(1), np.zeros(1)
    irreps = np.zeros((1, orbits[0].images.shape[1]))
    for orbit in orbits:
        total, num_images = int(orbit.counts.sum()), len(orbit.counts)
        # Places of the bars between the images in a row of runs and bars.
        bars = np.array(
            list(combinations(range(total + num_images - 1), num_images - 1))
        )
        edges = np.pad(
            bars, ((0, 0), (1, 1)), constant_values=(-1, total + num_images - 1)
        )
        counts = np.diff(edges, axis=1) - 1
        logs = special.gammaln(total + 1) - special.gammaln(counts + 1).sum(axis=1)
        chances = np.exp(logs - total * np.log(num_images))
        probability = np.outer(probability, chances).ravel()
        sets = np.add.outer(sets, _set_statistic(counts, orbit)).ravel()
        irreps = (irreps[:, None] + (counts @ orbit.images)[None]).reshape(
            len(sets), irreps.shape[1]
        )
    return probability, sets, irreps
