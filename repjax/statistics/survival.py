"""Time to generalisation with censoring (Kaplan and Meier, J. Am. Stat. Assoc. 1958).

A run that has not generalised when its training ends is censored there: it counts as
"not yet", neither as "never" nor as having generalised at that step.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from repjax.statistics.intervals import CONFIDENCE

_Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class Survival:
    """The share of runs that have not yet generalised, against steps.

    Attributes:
        num_runs: number of runs.
        num_events: number of runs that generalised during training.
        median: step by which half of all runs generalised; None if the curve ends
            above one half.
        low: lower end of its 95 % interval; None if undefined.
        high: upper end.
    """

    num_runs: int
    num_events: int
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Curve:
    """Share of runs that have generalised by each step, one less Kaplan–Meier's.

    Attributes:
        steps: steps at which runs generalised or were censored, increasing.
        shares: share that has generalised by then, in [0, 1].
        low: lower ends of the 95 % pointwise band (log–log transformed), in [0, 1];
            NaN where it is undefined, before the first event or when all have.
        high: upper ends.
        at_risk: runs that had not generalised and were still trained before the step.
    """

    steps: Float[np.ndarray, " step"]
    shares: Float[np.ndarray, " step"]
    low: Float[np.ndarray, " step"]
    high: Float[np.ndarray, " step"]
    at_risk: Int[np.ndarray, " step"]


def survival(events: Sequence[float], censored: Sequence[float]) -> Survival | None:
    """Return the curve's median and its interval; None without runs.

    The interval of the median is where the 95 % band of the curve (log–log
    transformed) meets one half (Brookmeyer and Crowley, Biometrics 1982).

    Args:
        events: step at which each run that generalised did so.
        censored: last evaluated step of each other run.
    """
    if not events and not censored:
        return None
    total = len(events) + len(censored)
    if not events:
        return Survival(total, 0, None, None, None)
    sample = stats.CensoredData(uncensored=events, right=censored)
    curve = stats.ecdf(sample).sf
    low = high = None
    if total > 1:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # The band is undefined where the curve is at 1 or 0.
            warnings.simplefilter("ignore", RuntimeWarning)
            band = curve.confidence_interval(CONFIDENCE, method="log-log")
        low = _falls_to_half(curve.quantiles, band.low.probabilities)
        high = _falls_to_half(curve.quantiles, band.high.probabilities)
    median = _falls_to_half(curve.quantiles, curve.probabilities)
    return Survival(total, len(events), median, low, high)


def generalisation_curve(
    events: Sequence[float], censored: Sequence[float]
) -> Curve | None:
    """Return the whole curve of which `survival` is the median; None without runs.

    Args:
        events: step at which each run that generalised did so.
        censored: last evaluated step of each other run.
    """
    steps = np.unique(np.concatenate([events, censored]))
    if not steps.size:
        return None
    ended = np.sort(np.concatenate([events, censored]))
    at_risk = len(ended) - np.searchsorted(ended, steps)
    which, counts = np.unique(np.asarray(events, float), return_counts=True)
    died = np.zeros(len(steps))
    died[np.searchsorted(steps, which)] = counts
    not_yet = np.cumprod(1 - died / at_risk)
    with np.errstate(all="ignore"):
        # Greenwood's variance of log(−log S); Kalbfleisch and Prentice, 1980.
        variance = np.cumsum(died / (at_risk * (at_risk - died)))
        spread = _Z * np.sqrt(variance) / np.abs(np.log(not_yet))
        low, high = (1 - not_yet ** np.exp(k * spread) for k in (-1, 1))
    unknown = (not_yet <= 0) | (not_yet >= 1)
    low, high = (np.where(unknown, np.nan, end) for end in (low, high))
    return Curve(steps, 1 - not_yet, low, high, at_risk)


def _falls_to_half(steps: np.ndarray, shares: np.ndarray) -> float | None:
    """Return the first step at which the curve is at most one half; None if never."""
    reached = np.nonzero(shares <= 0.5)[0]
    return float(steps[reached[0]]) if reached.size else None
