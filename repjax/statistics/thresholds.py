"""Dependence of the key sets on the similarity above which an irrep is key."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from repjax.metrics import KEY_SIMILARITY
from repjax.statistics.intervals import (
    CONFIDENCE,
    Estimate,
    Share,
    resampled_sums,
    share,
    share_intervals,
)
from repjax.statistics.key_sets import entropy, law

THRESHOLDS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
"""From half of `KEY_SIMILARITY` to twice the similarity of a learned irrep."""


@dataclass(frozen=True, eq=False)
class AtThreshold:
    """Key sets of all runs for one threshold.

    Attributes:
        threshold: an irrep is key if its logit similarity is above this.
        num_sets: number of distinct key sets.
        num_key: mean number of key irreps of a run.
        entropy: entropy of the law of key sets, in nats.
        unchanged: runs whose key set is that of `KEY_SIMILARITY`.
        shares: share of runs in which each irrep is key, in [0, 1].
        low: lower ends of their Clopper–Pearson intervals.
        high: upper ends.
    """

    threshold: float
    num_sets: int
    num_key: Estimate
    entropy: Estimate | None
    unchanged: Share
    shares: Float[np.ndarray, " irrep"]
    low: Float[np.ndarray, " irrep"]
    high: Float[np.ndarray, " irrep"]


def threshold_dependence(
    similarity: Float[np.ndarray, "run irrep"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[AtThreshold, ...]:
    """Describe the key sets of all runs for each threshold; empty without runs.

    Args:
        similarity: final logit similarity of the irreps that can be key: all but the
            trivial one.
        thresholds: in the order of the result.
    """
    num_runs = len(similarity)
    if not num_runs:
        return ()
    usual = similarity > KEY_SIMILARITY
    is_key = [similarity > threshold for threshold in thresholds]
    num_key = np.stack([key.sum(axis=1) for key in is_key], axis=1).astype(float)
    means = num_key.mean(axis=0)
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    lows, highs = np.quantile(resampled_sums(num_key) / num_runs, tails, axis=0)

    def describe(place: int, threshold: float) -> AtThreshold:
        key = is_key[place]
        sets, counts = law(key), key.sum(axis=0)
        low, high = share_intervals(counts, num_runs)
        return AtThreshold(
            threshold,
            sets.num_sets,
            Estimate(
                float(means[place]), float(lows[place]), float(highs[place]), num_runs
            ),
            entropy(sets.counts),
            share(int((key == usual).all(axis=1).sum()), num_runs),
            counts / num_runs,
            low,
            high,
        )

    return tuple(describe(*of) for of in enumerate(thresholds))


def stable_share(
    similarity: Float[np.ndarray, "run irrep"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> Share:
    """Return the runs whose key set is the same for every threshold of a range."""
    between = (similarity > min(thresholds)) & (similarity <= max(thresholds))
    return share(int((~between.any(axis=1)).sum()), len(similarity))
