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
    start = special.logit(base_rates(is_key))[:, None]
    intercepts, slopes = start, np.zeros(features.shape[2])
    # An irrep at a time: products this small do not wake BLAS's threads, which take 20
    # times as long on busy cores.
    x, y = np.ascontiguousarray(features.transpose(1, 0, 2)), is_key.T
    for _ in range(_MAX_STEPS):
        chance = special.expit(intercepts + np.einsum("irf,f->ir", x, slopes))
        weight, rest = chance * (1 - chance), y - chance
        # Newton's step for the slopes after that for the intercepts is substituted.
        curvature = weight.sum(axis=1, keepdims=True) + 1.0
        weighted = weight[..., None] * x
        coupling = weighted.sum(axis=1) / curvature
        information = (weighted.transpose(0, 2, 1) @ x).sum(axis=0)
        information -= coupling.T @ (coupling * curvature)
        information[np.diag_indices(len(slopes))] += ridge
        by_intercept = rest.sum(axis=1, keepdims=True) + start - intercepts
        by_slope = np.einsum("ir,irf->f", rest, x) - ridge * slopes
        by_slope -= (by_intercept * coupling).sum(axis=0)
        step = np.linalg.solve(information, by_slope)
        slopes = slopes + step
        intercepts = intercepts + by_intercept / curvature - coupling @ step[:, None]
        if np.abs(step).max(initial=0) < _TOLERANCE:
            break
    scores = np.einsum("ir,irf->rf", rest, x) - rest.T @ coupling
    return Logistic(intercepts[:, 0], slopes, information, scores)
