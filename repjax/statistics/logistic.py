"""Logistic regression of key irreps on features, with an intercept for each irrep."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

RIDGE = 1.0
"""Weight of ½‖slopes‖² beside the log likelihood; the features have variance 1."""

_MAX_STEPS = 50
_TOLERANCE = 1e-6

Features = Float[np.ndarray, "run irrep feature"]
Keys = Bool[np.ndarray, "run irrep"]


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted law: log odds that irrep i is key = intercept_i + slopes · features.

    Attributes:
        intercepts: log odds of each irrep where its features are 0.
        slopes: change of the log odds per unit of each feature, for all irreps.
        information: of the slopes, the intercepts profiled out; with the ridge.
        scores: derivative of each run's log likelihood by the slopes, likewise.
    """

    intercepts: Float[np.ndarray, " irrep"]
    slopes: Float[np.ndarray, " feature"]
    information: Float[np.ndarray, "feature feature"]
    scores: Float[np.ndarray, "run feature"]

    def log_odds(self, features: Features) -> Float[np.ndarray, "run irrep"]:
        """Return the log odds that each irrep is key in each run."""
        return self.intercepts + features @ self.slopes

    @property
    def influence(self) -> Float[np.ndarray, "run feature"]:
        """First-order change of the slopes if a run counts once more.

        Of the score bootstrap (Kline and Santos, J. Econometric Methods 1, 2012).
        """
        centred = self.scores - self.scores.mean(axis=0)
        return np.linalg.solve(self.information, centred.T).T


def base_rates(is_key: Keys) -> Float[np.ndarray, " irrep"]:
    """Return the share of runs in which each irrep is key, in (0, 1).

    Half a run is added to both sides (Jeffreys' prior), so that log odds are finite.
    """
    return (is_key.sum(axis=0) + 0.5) / (len(is_key) + 1)


def fit_logistic(features: Features, is_key: Keys, ridge: float = RIDGE) -> Logistic:
    """Maximise the penalised likelihood by Newton's method.

    The intercepts have a penalty too, ½(intercept − log odds of the base rate)², which
    matters only for irreps that are key in no run or in all (le Cessie and van
    Houwelingen, Appl. Statist. 41, 1992, on ridge logistic regression).

    Args:
        features: of variance about 1.
        is_key: the outcomes; runs are independent, the irreps of a run need not be.
        ridge: weight of the penalty on the slopes; 0 for none.
    """
    num_features = features.shape[2]
    flat = features.reshape(-1, num_features)
    start = special.logit(base_rates(is_key))
    intercepts, slopes = start.copy(), np.zeros(num_features)
    for _ in range(_MAX_STEPS):
        chance = special.expit(intercepts + features @ slopes)
        weight, rest = chance * (1 - chance), is_key - chance
        # Newton's step for the slopes after that for the intercepts is substituted.
        curvature = weight.sum(axis=0) + 1.0
        coupling = np.einsum("ri,rif->if", weight, features) / curvature[:, None]
        information = (flat * weight.reshape(-1, 1)).T @ flat
        information -= coupling.T @ (coupling * curvature[:, None])
        information[np.diag_indices(num_features)] += ridge
        by_intercept = rest.sum(axis=0) + start - intercepts
        by_slope = rest.ravel() @ flat - ridge * slopes - by_intercept @ coupling
        step = np.linalg.solve(information, by_slope)
        slopes = slopes + step
        intercepts = intercepts + by_intercept / curvature - coupling @ step
        if np.abs(step).max(initial=0) < _TOLERANCE:
            break
    scores = np.einsum("ri,rif->rf", rest, features) - rest @ coupling
    return Logistic(intercepts, slopes, information, scores)
