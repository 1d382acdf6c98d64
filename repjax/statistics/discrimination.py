"""How well a score tells the runs in which an irrep is key from those where it is not.

Only runs are compared, never irreps: that large irreps have more energy, or are key
more often, makes no difference.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from repjax.statistics.intervals import CONFIDENCE, Estimate, resampled_sums

NUM_RESAMPLES = 1999

Scores = Float[np.ndarray, "run irrep"]
Keys = Bool[np.ndarray, "run irrep"]
Rows = Int[np.ndarray, " _"]


def auc(
    scores: Scores, is_key: Keys, folds: Sequence[Rows] | None = None
) -> Estimate | None:
    """Return the probability that a run with an irrep as key has the larger score.

    The statistic of Mann and Whitney (Ann. Math. Statist. 18, 1947), stratified by
    irrep: of all pairs of runs of which one has the irrep as key and the other has not,
    the share in which the score of the first is larger; ties count half. In [0, 1], 0.5
    without any relation. The interval is the percentile bootstrap over runs of the
    linear part, whose terms are the placements of DeLong, DeLong and Clarke-Pearson
    (Biometrics 44, 1988), added up over the irreps of a run (Obuchowski, Biometrics 53,
    1997).

    Args:
        scores: of each irrep in each run; only their order within an irrep matters.
        is_key: key irreps of each run.
        folds: rows of each fold, if only runs of the same fold are to be compared.
            Scores of different fits are not comparable: a fold with few keys leaves
            many to the others, which raises its scores (LeDell, Petersen and van der
            Laan, Electron. J. Statist. 9, 2015).

    Returns:
        None if no irrep is key in some runs and not in others.
    """
    parts = [np.arange(len(scores))] if folds is None else folds
    above = np.zeros(is_key.shape)
    rivals = np.zeros(is_key.shape)
    for rows in parts:
        for irrep in range(is_key.shape[1]):
            key, other = (
                rows[is_key[rows, irrep]], rows[~is_key[rows, irrep]],
            )  # fmt: skip
            ranks = stats.rankdata(scores[np.append(key, other), irrep])
            of_key, of_other = ranks[: len(key)], ranks[len(key) :]
            above[key, irrep] = of_key - stats.rankdata(of_key)
            above[other, irrep] = len(key) - of_other + stats.rankdata(of_other)
            rivals[key, irrep], rivals[other, irrep] = len(other), len(key)
    pairs = rivals[is_key].sum()
    if not pairs:
        return None
    value = float(above[is_key].sum() / pairs)
    influence = (above - value * rivals).sum(axis=1) / pairs
    return with_interval(value, influence, low=0.0, high=1.0)


def auc_value(scores: Scores, is_key: Keys, folds: Sequence[Rows]) -> float:
    """Return `auc` without its interval, 20 times as fast; NaN where that is None."""
    wins = pairs = 0.0
    for rows in folds:
        key = is_key[rows]
        num_key = key.sum(axis=0)
        ranks = stats.rankdata(scores[rows], axis=0)
        wins += float((ranks * key).sum() - (num_key * (num_key + 1) / 2).sum())
        pairs += float((num_key * (len(rows) - num_key)).sum())
    return wins / pairs if pairs else float("nan")


def with_interval(
    value: float,
    influence: Float[np.ndarray, " run"],
    low: float = -np.inf,
    high: float = np.inf,
) -> Estimate:
    """Return an estimate with its percentile bootstrap interval over runs.

    Args:
        value: the estimate.
        influence: its first-order change if a run counts once more; the sum is 0.
        low: least possible value, which ends the interval.
        high: largest possible value.
    """
    drawn = value + resampled_sums(influence[:, None], NUM_RESAMPLES)[:, 0]
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    first, last = np.clip(np.quantile(drawn, tails), low, high).tolist()
    return Estimate(value, first, last, num=len(influence))
