"""Two sweeps: do their key sets follow the same law, and which irreps differ?

Sweeps of two groups can be compared where their rows mean the same, such as the number
of key irreps of each dimension.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from scipy import special, stats

from repjax.statistics.intervals import CONFIDENCE, SEED
from repjax.statistics.key_sets import law
from repjax.statistics.significance import (
    NUM_DRAWS,
    Significance,
    holm,
    random_p_value,
)

Rows = Bool[np.ndarray, "_ irrep"] | Integer[np.ndarray, "_ irrep"]


@dataclass(frozen=True, eq=False)
class ShareDifferences:
    """Differences between two sweeps in how often each irrep is key.

    Attributes:
        difference: share of the second sweep less that of the first, in [−1, 1].
        low: lower ends of the 95 % intervals of the differences.
        high: upper ends.
        p_values: of Fisher's exact test, each irrep for itself.
        adjusted: the same, corrected for the number of irreps by Holm's method.
    """

    difference: Float[np.ndarray, " irrep"]
    low: Float[np.ndarray, " irrep"]
    high: Float[np.ndarray, " irrep"]
    p_values: Float[np.ndarray, " irrep"]
    adjusted: Float[np.ndarray, " irrep"]


def total_variation(first: Rows, second: Rows) -> float:
    """Return the distance of two samples of rows, in [0, 1]: ½ Σ |share − share|.

    Two samples of one law have a positive distance too, the larger the fewer the runs;
    `same_law` corrects for it.
    """
    counts = _table(first, second)
    return float(np.abs(counts[0] / len(first) - counts[1] / len(second)).sum() / 2)


def same_law(first: Rows, second: Rows, num_draws: int = NUM_DRAWS) -> Significance:
    """Test whether the runs of two sweeps have rows of the same law.

    The statistic is G = 2 Σ n log(n/e) of the table of sweeps and rows. Its null
    distribution exchanges runs between the sweeps at random (permutation test; Fisher
    1935), so that rows seen once do no harm. The effect is the total variation less its
    mean under the null, in [0, 1]: the share of runs that would have to change.

    Args:
        first: key irreps of each run, or any other numbers that describe it.
        second: the same for the other sweep; at least one run each.
        num_draws: number of permutations.
    """
    observed, num_first = _table(first, second), len(first)
    totals = observed.sum(axis=0)
    generator = np.random.default_rng(SEED)
    # Rows seen once are alike to both statistics: drawn as one, they cost nothing.
    often = totals > 1
    kinds = np.append(totals[often], (~often).sum())
    drawn = generator.multivariate_hypergeometric(kinds, num_first, size=num_draws)
    actual = np.append(observed[0, often], observed[0, ~often].sum())[None]
    value = float(_statistic(actual, kinds, num_first)[0])
    distance = _distance(actual, kinds, num_first)[0]
    effect = distance - _distance(drawn, kinds, num_first).mean()
    return Significance(
        statistic=value,
        p_value=random_p_value(value, _statistic(drawn, kinds, num_first)),
        exact=False,
        effect=max(0.0, float(effect)),
        num_runs=int(totals.sum()),
    )


def compare_shares(
    first: Bool[np.ndarray, "_ irrep"], second: Bool[np.ndarray, "_ irrep"]
) -> ShareDifferences:
    """Compare how often each irrep is key; both sweeps have at least one run.

    Intervals combine the score intervals of both shares (Newcombe, Stat. Med. 17, 1998,
    method 10): they stay in [−1, 1] and cover near shares of 0 and 1 too.
    """
    counts = np.stack([first.sum(axis=0), second.sum(axis=0)])
    totals = np.array([[len(first)], [len(second)]])
    shares = counts / totals
    low, high = _score_intervals(counts, totals)
    difference = shares[1] - shares[0]
    below = np.hypot(shares[1] - low[1], high[0] - shares[0])
    above = np.hypot(high[1] - shares[1], shares[0] - low[0])
    p_values = _fisher(counts, totals)
    return ShareDifferences(
        difference, difference - below, difference + above, p_values, holm(p_values)
    )


def _fisher(
    counts: Int[np.ndarray, "2 irrep"], totals: Int[np.ndarray, "2 1"]
) -> Float[np.ndarray, " irrep"]:
    """Return two-sided p-values of the fourfold table of each irrep."""
    distinct, index = np.unique(counts, axis=1, return_inverse=True)
    tables = np.stack([distinct, totals - distinct], axis=1).transpose(2, 1, 0)
    p_values = [float(stats.fisher_exact(table).pvalue) for table in tables]
    return np.array(p_values)[index]


def _score_intervals(
    counts: Int[np.ndarray, "sweep irrep"], totals: Int[np.ndarray, "sweep 1"]
) -> tuple[Float[np.ndarray, "sweep irrep"], Float[np.ndarray, "sweep irrep"]]:
    """Return Wilson's intervals (J. Am. Stat. Assoc. 22, 1927) of shares."""
    z = stats.norm.ppf((1 + CONFIDENCE) / 2)
    middle = (counts + z**2 / 2) / (totals + z**2)
    spread = np.sqrt(counts * (totals - counts) / totals + z**2 / 4)
    spread *= z / (totals + z**2)
    return middle - spread, middle + spread


def _table(first: Rows, second: Rows) -> Int[np.ndarray, "2 set"]:
    """Return the number of runs of each sweep that have each row."""
    both = law(np.concatenate([first, second]))
    parts = both.index[: len(first)], both.index[len(first) :]
    return np.stack([np.bincount(part, minlength=both.num_sets) for part in parts])


def _statistic(
    counts: Int[np.ndarray, "draw set"], totals: Int[np.ndarray, " set"], num_first: int
) -> Float[np.ndarray, " draw"]:
    """Return G from the counts of the first sweep and of both, rows seen once last."""
    margins = np.array([num_first, totals.sum() - num_first])
    num_runs = totals.sum()
    outer = special.xlogy(num_runs, num_runs) - special.xlogy(margins, margins).sum()
    counts, totals = counts[:, :-1], totals[:-1]
    others = totals - counts
    inner = special.xlogy(counts, counts) + special.xlogy(others, others)
    expected = special.xlogy(totals, totals).sum() - outer
    return 2 * (inner.sum(axis=1) - expected)


def _distance(
    counts: Int[np.ndarray, "draw set"], totals: Int[np.ndarray, " set"], num_first: int
) -> Float[np.ndarray, " draw"]:
    """Return the total variation, from the same: a row seen once is in one sweep."""
    first = counts / num_first
    second = (totals - counts) / (totals.sum() - num_first)
    gaps = np.abs(first - second)
    gaps[:, -1] = first[:, -1] + second[:, -1]
    return gaps.sum(axis=1) / 2
