"""Numbers of statistics as JSON has them."""

import math
from typing import Any

import numpy as np

from repjax.statistics.intervals import Estimate, Share
from repjax.statistics.significance import Significance


def numbers(values: Any) -> Any:
    """Convert floats for JSON, which has no NaN and infinity: they become null."""
    return _finite(np.asarray(values, float).tolist())


def _finite(values: Any) -> Any:
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if math.isfinite(values) else None


def share_numbers(share: Share) -> dict[str, Any]:
    """Return a share with its counts and interval."""
    return {
        "count": share.count,
        "total": share.total,
        "share": share.value,
        "low": share.low,
        "high": share.high,
    }


def estimate_numbers(estimate: Estimate | None) -> dict[str, Any] | None:
    """Return a mean or median with its interval; null if there is none."""
    if estimate is None:
        return None
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (None if end is None else numbers(end) for end in ends)
    return {"value": value, "low": low, "high": high, "runs": estimate.num}


def significance_numbers(test: Significance, adjusted: float) -> dict[str, Any]:
    """Return the result of a test, and its p-value corrected for their number."""
    return {
        "statistic": test.statistic,
        "p_value": test.p_value,
        "adjusted_p_value": adjusted,
        "exact": test.exact,
        "effect": test.effect,
        "runs": test.num_runs,
    }
