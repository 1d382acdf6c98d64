"""Order of learning: which of two irreps comes first, and whether lower dimensions do.

Chughtai et al. 2023, section 7, see lower dimensions tend to come first. Only pairs of
irreps that a run learned both enter. Irreps learned between the same two evaluations
are tied.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from repjax.statistics.intervals import (
    CONFIDENCE,
    Estimate,
    resampled_sums,
    share_intervals,
)


@dataclass(frozen=True, eq=False)
class Precedence:
    """Order of every pair of irreps over many runs.

    Attributes:
        before: number of runs that learned both irreps, the row's before the column's.
        tied: number of runs that learned both at the same evaluated step; the diagonal
            has the number of runs that learned an irrep.
        low: lower ends of the Clopper–Pearson intervals of `shares`, in [0, 1].
        high: upper ends; where all runs are tied the interval is [0, 1].
    """

    before: Int[np.ndarray, "irrep irrep"]
    tied: Int[np.ndarray, "irrep irrep"]
    low: Float[np.ndarray, "irrep irrep"]
    high: Float[np.ndarray, "irrep irrep"]

    @property
    def shares(self) -> Float[np.ndarray, "irrep irrep"]:
        """Share of runs in which the row's is first, ties apart; NaN without runs."""
        totals = self.before + self.before.T
        return np.where(totals, self.before / np.maximum(totals, 1), np.nan)


def precedence(learned_step: Float[np.ndarray, "run irrep"]) -> Precedence:
    """Count the order of every pair of irreps.

    Args:
        learned_step: step at which each irrep was learned; inf if never.
    """
    num_irreps = learned_step.shape[1]
    before, tied = np.zeros((2, num_irreps, num_irreps), np.int64)
    for irrep, (later, same) in enumerate(_orders(learned_step)):
        before[irrep], tied[irrep] = later.sum(axis=0), same.sum(axis=0)
    return Precedence(before, tied, *share_intervals(before, before + before.T))


def smaller_first(
    learned_step: Float[np.ndarray, "run irrep"], sizes: Real[np.ndarray, " irrep"]
) -> Estimate | None:
    """Return the share of pairs of which the smaller irrep is learned first, in [0, 1].

    Pairs of all runs count alike; ties in step or size are left out. ½ means no
    relation, 1 that no larger irrep precedes a smaller one. The share is (1 + γ)/2 for
    the γ of Goodman and Kruskal (J. Am. Stat. Assoc. 49, 1954). The interval is the
    percentile bootstrap over runs. None without such pairs.

    Args:
        learned_step: step at which each irrep was learned; inf if never.
        sizes: for instance the dimension of each irrep.
    """
    pairs = np.zeros((len(learned_step), 2))
    for irrep, (later, _) in enumerate(_orders(learned_step)):
        relation = np.stack([sizes[irrep] < sizes, sizes[irrep] > sizes], axis=1)
        pairs += later @ relation.astype(float)
    pairs = pairs[pairs.any(axis=1)]
    if not len(pairs):
        return None
    value = float(pairs[:, 0].sum() / pairs.sum())
    if len(pairs) == 1:
        return Estimate(value, None, None, num=1)
    sums = resampled_sums(pairs)
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(sums[:, 0] / sums.sum(axis=1), tails).tolist()
    return Estimate(value, low, high, num=len(pairs))


def _orders(
    learned_step: Float[np.ndarray, "run irrep"],
) -> Iterator[tuple[Bool[np.ndarray, "run irrep"], Bool[np.ndarray, "run irrep"]]]:
    """Yield for each irrep which others each run learned later, and which with it."""
    finite = np.isfinite(learned_step)
    for step in learned_step.T[:, :, None]:
        both = finite & np.isfinite(step)
        yield both & (step < learned_step), both & (step == learned_step)
