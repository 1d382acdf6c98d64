"""Time to generalisation with censoring (Kaplan and Meier, J. Am. Stat. Assoc. 1958).

A run that has not generalised when its training ends is censored there: it counts as
"not yet", neither as "never" nor as having generalised at that step.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from repjax.statistics.intervals import CONFIDENCE


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


def _falls_to_half(steps: np.ndarray, shares: np.ndarray) -> float | None:
    """Return the first step at which the curve is at most one half; None if never."""
    reached = np.nonzero(shares <= 0.5)[0]
    return float(steps[reached[0]]) if reached.size else None
