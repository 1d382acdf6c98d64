"""Do predicted probabilities of key irreps agree with how often they are key?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from repjax.statistics.discrimination import with_interval
from repjax.statistics.intervals import Estimate, Share, share
from repjax.statistics.logistic import fit_logistic

NUM_BINS = 10

Chances = Float[np.ndarray, "run irrep"]
Keys = Bool[np.ndarray, "run irrep"]


@dataclass(frozen=True)
class Bin:
    """Entries (run, irrep) with similar predictions.

    Attributes:
        predicted: mean predicted probability, in [0, 1].
        observed: share of the entries in which the irrep is key. Its interval takes
            entries as independent, also those of one run.
    """

    predicted: float
    observed: Share


@dataclass(frozen=True)
class Calibration:
    """Agreement of predicted probabilities with outcomes.

    Attributes:
        bins: by rising prediction, with equally many entries up to ties.
        slope: change of the true log odds per change of the predicted ones, within
            irreps. 1 is ideal; below 1 the predictions are too extreme.
        intercept: log odds to add to all predictions so that the mean is right; 0 is
            ideal, above 0 the predictions are too low.
    """

    bins: tuple[Bin, ...]
    slope: Estimate
    intercept: Estimate


def calibration(log_odds: Chances, is_key: Keys) -> Calibration:
    """Compare predicted log odds with outcomes.

    Slope and intercept are Cox's (Biometrika 45, 1958): the slope with an intercept for
    each irrep, so that irreps of different frequency do not make it look good; the
    intercept at slope 1 ("calibration in the large"). Intervals are bootstraps over
    runs.

    Args:
        log_odds: finite predictions, made without the outcomes of these runs.
        is_key: outcomes.
    """
    # In units of the scatter within irreps, in which Newton's method starts well.
    centred = log_odds - log_odds.mean(axis=0)
    unit = max(float(centred.std()), 1e-12)
    law = fit_logistic(centred[..., None] / unit, is_key, ridge=0.0)
    slope = with_interval(float(law.slopes[0] / unit), law.influence[:, 0] / unit)
    return Calibration(_bins(log_odds, is_key), slope, _intercept(log_odds, is_key))


def _intercept(log_odds: Chances, is_key: Keys) -> Estimate:
    """Return the shift of all log odds that makes the mean probability right."""
    shift, total = 0.0, np.clip(is_key.sum(), 0.5, is_key.size - 0.5)
    for _ in range(50):
        chance = special.expit(log_odds + shift)
        information = (chance * (1 - chance)).sum()
        step = (total - chance.sum()) / information
        shift += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-9:
            break
    scores = (is_key - chance).sum(axis=1)
    return with_interval(shift, (scores - scores.mean()) / information)


def _bins(log_odds: Chances, is_key: Keys) -> tuple[Bin, ...]:
    chance = special.expit(log_odds).ravel()
    order = np.argsort(chance, kind="stable")
    bins = []
    for rows in np.array_split(order, min(NUM_BINS, len(order))):
        count = int(is_key.ravel()[rows].sum())
        bins.append(Bin(float(chance[rows].mean()), share(count, len(rows))))
    return tuple(bins)
