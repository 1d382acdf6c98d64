"""Shares and means with their intervals, both at 95 %.

A share of runs has the exact interval of Clopper and Pearson (Biometrika 26, 1934); a
mean or a median the percentile bootstrap (Efron, Ann. Statist. 7, 1979) with a fixed
seed, so that the same runs give the same digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy import special, stats

CONFIDENCE = 0.95
NUM_RESAMPLES = 9999
SEED = 0


@dataclass(frozen=True)
class Share:
    """Number of runs with some property, out of a total.

    Attributes:
        count: runs that have the property.
        total: all runs.
        low: lower end of the Clopper–Pearson interval, in [0, 1].
        high: upper end; without any run the interval is [0, 1].
    """

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """Quotient of both, in [0, 1]; None without runs."""
        return self.count / self.total if self.total else None


@dataclass(frozen=True)
class Estimate:
    """A mean or median over runs.

    Attributes:
        value: in the unit of the values.
        low: lower end of the bootstrap interval; None for a single run.
        high: upper end; None for a single run.
        num: number of runs.
    """

    value: float
    low: float | None
    high: float | None
    num: int


@lru_cache(maxsize=65_536)  # 2 ms each, and a report asks for few pairs of numbers
def share(count: int, total: int) -> Share:
    """Return the share of `count` in `total` runs, where 0 ≤ count ≤ total."""
    if not total:
        return Share(count=0, total=0, low=0.0, high=1.0)
    interval = stats.binomtest(count, total).proportion_ci(CONFIDENCE, method="exact")
    return Share(count, total, low=float(interval.low), high=float(interval.high))


def share_intervals(
    counts: Int[np.ndarray, " *shares"], totals: Int[np.ndarray, " *shares"] | int
) -> tuple[Float[np.ndarray, " *shares"], Float[np.ndarray, " *shares"]]:
    """Return both ends of the Clopper–Pearson intervals of many shares, in [0, 1]."""
    tail, others = (1 - CONFIDENCE) / 2, totals - counts
    # Where a parameter is 0 the end is 0 or 1, and the quantile undefined.
    low = special.betaincinv(np.maximum(counts, 1), others + 1, tail)
    high = special.betaincinv(counts + 1, np.maximum(others, 1), 1 - tail)
    return np.where(counts > 0, low, 0.0), np.where(others > 0, high, 1.0)


def resampled_sums(
    parts: Float[np.ndarray, "run part"], num_resamples: int = NUM_RESAMPLES
) -> Float[np.ndarray, "resample part"]:
    """Return the sums over runs of bootstrap samples, for functions of such sums.

    Runs are drawn whole and with a fixed seed: the entries of one run stay together.
    """
    num_runs = len(parts)
    generator = np.random.default_rng(SEED)
    at_once = max(1, 10**6 // num_runs)
    sums = []
    for start in range(0, num_resamples, at_once):
        shape = min(at_once, num_resamples - start), num_runs
        drawn = generator.integers(num_runs, size=shape)
        drawn += num_runs * np.arange(len(drawn))[:, None]
        times = np.bincount(drawn.ravel(), minlength=drawn.size)
        sums.append(times.reshape(shape) @ parts)
    return np.concatenate(sums)


def mean(values: ArrayLike) -> Estimate | None:
    """Return the mean over runs; None without runs."""
    return _estimate(values, np.mean)


def median(values: ArrayLike) -> Estimate | None:
    """Return the median over runs; None without runs."""
    return _estimate(values, np.median)


def _estimate(values: ArrayLike, statistic: Callable) -> Estimate | None:
    runs = np.asarray(values, float)
    if not runs.size:
        return None
    low = high = None
    if runs.size > 1:
        interval = stats.bootstrap(
            (runs,),
            statistic,
            n_resamples=NUM_RESAMPLES,
            # Not BCa, which is undefined where all runs agree.
            method="percentile",
            confidence_level=CONFIDENCE,
            vectorized=True,
            # 10 million resampled runs at once would take more than 80 MB.
            batch=max(1, 10**6 // runs.size),
            random_state=SEED,
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return Estimate(float(statistic(runs)), low, high, num=runs.size)
