"""Results of significance tests, and their correction where many are made."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

NUM_DRAWS = 1999
"""Draws from the null; the least p-value is then 1/2000."""


@dataclass(frozen=True)
class Significance:
    """Result of one test.

    Attributes:
        statistic: observed value; larger ones speak against the null.
        p_value: probability under the null of a statistic at least as large, in (0, 1].
        exact: whether all outcomes were enumerated; else they were drawn at random.
        effect: size of the deviation, in units that the test's function states; 0 if
            the data deviate no more than the null does on average.
        num_runs: runs that entered.
    """

    statistic: float
    p_value: float
    exact: bool
    effect: float
    num_runs: int


def random_p_value(observed: float, drawn: Float[np.ndarray, " draw"]) -> float:
    """Return the p-value of a statistic among those of draws from the null.

    The observed one counts as a draw too: the test then keeps its level exactly,
    whatever the number of draws (Phipson and Smyth, Stat. Appl. Genet. 9, 2010).
    """
    # Equal outcomes may differ in the last digits of their statistics.
    at_least = int((drawn >= observed - tolerance(observed)).sum())
    return (1 + at_least) / (1 + len(drawn))


def tolerance(statistic: float) -> float:
    """Return the difference up to which two statistics count as equal."""
    return 1e-9 * max(1.0, abs(statistic))


def holm(p_values: ArrayLike) -> Float[np.ndarray, " test"]:
    """Return p-values adjusted for the number of tests, in the given order.

    Rejecting where the adjusted value is below 5 % makes any false rejection at most
    5 % likely, however the tests depend on each other (Holm, Scand. J. Stat. 6, 1979).
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values)
    factors = len(values) - np.arange(len(values))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
    return adjusted
