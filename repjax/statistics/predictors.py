"""Is the winner written in the initial weights? Key sets predicted from energies.

He et al. (2026, arXiv 2602.16849) find that the frequencies of largest spectral energy
at initialisation win: a lottery. Here every prediction is within an irrep: of two runs,
which one has this irrep as key? Irreps of larger dimension have more energy, and may be
key more often; neither helps.

Beside each number stands its null, in which the key sets are shuffled over runs: the
irreps keep their frequencies and the runs their sets, and only the link to the features
is cut (permutation test; Fisher 1935).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special, stats

from repjax.statistics.calibration import Calibration, calibration
from repjax.statistics.discrimination import auc, auc_value, with_interval
from repjax.statistics.intervals import CONFIDENCE, SEED, Estimate
from repjax.statistics.logistic import base_rates, fit_logistic
from repjax.statistics.significance import NUM_DRAWS, random_p_value

NUM_FOLDS = 5

NUM_REFITS = 199
"""Shuffles for which the regression is cross-validated again."""

MIN_RUNS = 10
"""An irrep enters if it is key in at least so many runs, and in so many is not."""

_AT_ONCE = 50

Features = Float[np.ndarray, "run irrep feature"]
Keys = Bool[np.ndarray, "run irrep"]
Rows = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class BesideNull:
    """A measure of a prediction, and the same where key sets are shuffled.

    Attributes:
        estimate: with its bootstrap interval over runs.
        null_low: lower end of the interval that holds 95 % of the shuffles.
        null_high: upper end.
        p_value: share of shuffles as good as the prediction, in (0, 1].
    """

    estimate: Estimate
    null_low: float
    null_high: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """How well features of the initial weights predict the key set.

    Attributes:
        aucs: of each feature by itself; its test is two-sided, since small values may
            favour an irrep too.
        coefficients: change of the log odds per standard deviation of each feature, all
            features fitted together with a ridge, on all runs.
        auc: of the regression on all features, for runs that it was not fitted to.
        skill: 1 − Brier score of the regression/Brier score of the irreps' frequencies,
            both for runs that they were not fitted to: 1 is perfect, 0 no gain.
        calibration: of the regression's probabilities, likewise.
        used: irreps that enter.
        num_runs: runs that enter.
        num_folds: parts of the runs, each predicted by a fit to the others.
        num_refits: shuffles behind the nulls of `auc` and `skill`.
    """

    aucs: dict[str, BesideNull]
    coefficients: dict[str, Estimate]
    auc: BesideNull
    skill: BesideNull
    calibration: Calibration
    used: Bool[np.ndarray, " irrep"]
    num_runs: int
    num_folds: int
    num_refits: int


def with_competition(
    energies: Features, names: Sequence[str], is_key: Keys
) -> tuple[Float[np.ndarray, "run irrep both"], tuple[str, ...]]:
    """Append each energy relative to those of the other irreps of the same run.

    With e the energy divided by its mean over runs, that is e_i/mean_{j≠i} e_j, over
    the irreps that are key in some run. Neurons and weight decay are shared: an irrep
    may win because its rivals began weak.

    Args:
        energies: positive.
        names: of the features; the new ones have `_relative` appended.
        is_key: key irreps of each run.
    """
    rivals = is_key.sum(axis=0) > 0
    if rivals.sum() < 2:
        return energies, tuple(names)
    mean = energies.mean(axis=0)
    scaled = energies / np.where(mean > 0, mean, 1)
    others = rivals.sum() - rivals[:, None]
    total = (scaled * rivals[:, None]).sum(axis=1, keepdims=True)
    rest = (total - scaled * rivals[:, None]) / others
    relative = scaled / np.where(rest > 0, rest, 1)
    return (
        np.concatenate([energies, relative], axis=2),
        (*names, *(f"{name}_relative" for name in names)),
    )


def predict(
    energies: Features,
    is_key: Keys,
    names: Sequence[str],
    num_folds: int = NUM_FOLDS,
    num_draws: int = NUM_DRAWS,
    num_refits: int = NUM_REFITS,
) -> Prediction | None:
    """Predict which irreps are key from features of each irrep in each run.

    The logarithms of the features are standardised within each irrep. A logistic
    regression with an intercept for each irrep and a ridge predicts each fold of runs
    from the others; the folds are random, of equal size up to one run, and the same in
    every call. `auc` says what the AUC is.

    Args:
        energies: positive numbers; a zero counts as the least positive of its irrep.
        is_key: key irreps of each run.
        names: of the features.
        num_folds: parts of the runs.
        num_draws: shuffles for the AUCs of single features.
        num_refits: shuffles for the regression.

    Returns:
        None if no irrep is key in at least `MIN_RUNS` runs and not in as many.
    """
    count = is_key.sum(axis=0)
    used = np.minimum(count, len(is_key) - count) >= MIN_RUNS
    if not used.any():
        return None
    features, key = standardise(energies[:, used]), is_key[:, used]
    generator = np.random.default_rng(SEED)
    folds = np.array_split(generator.permutation(len(key)), num_folds)
    law = fit_logistic(features, key)
    chances, reference = cross_validated(features, key, folds)
    area = auc(chances, key, folds)
    assert area is not None
    nulls = np.array([*_refits(features, key, folds, num_refits)])
    return Prediction(
        aucs=_single(features, key, names, num_draws),
        coefficients={
            name: with_interval(float(slope), law.influence[:, k])
            for k, (name, slope) in enumerate(zip(names, law.slopes, strict=True))
        },
        auc=_beside(area, nulls[:, 0]),
        skill=_beside(_skill(chances, reference, key), nulls[:, 1]),
        calibration=calibration(chances, key),
        used=used,
        num_runs=len(key),
        num_folds=num_folds,
        num_refits=num_refits,
    )


def standardise(energies: Features) -> Features:
    """Return logarithms with mean 0 and variance 1 over runs, for each irrep."""
    positive = energies > 0
    least = np.where(positive, energies, np.inf).min(axis=0)
    floor = np.where(np.isfinite(least), least, 1.0)
    logs = np.log(np.where(positive, energies, floor).astype(float))
    logs -= logs.mean(axis=0)
    spread = logs.std(axis=0)
    return logs / np.where(spread > 1e-9, spread, 1.0)


def cross_validated(
    features: Features, is_key: Keys, folds: Sequence[Rows]
) -> tuple[Float[np.ndarray, "run irrep"], Float[np.ndarray, "run irrep"]]:
    """Return the log odds of each run, and the base rates, from the other folds."""
    log_odds, rates = np.empty(is_key.shape), np.empty(is_key.shape)
    for rows in folds:
        others = np.ones(len(is_key), bool)
        others[rows] = False
        law = fit_logistic(features[others], is_key[others])
        log_odds[rows] = law.log_odds(features[rows])
        rates[rows] = base_rates(is_key[others])
    return log_odds, rates


def _refits(
    features: Features, is_key: Keys, folds: Sequence[Rows], num: int
) -> Iterator[tuple[float, float]]:
    """Yield AUC and skill of the regression on shuffled key sets."""
    generator = np.random.default_rng(SEED + 1)
    for _ in range(num):
        key = is_key[generator.permutation(len(is_key))]
        chances, reference = cross_validated(features, key, folds)
        errors, others = _brier(chances, reference, key)
        skill = 1 - float(errors.sum() / others.sum())
        yield auc_value(chances, key, folds), skill


def _single(
    features: Features, is_key: Keys, names: Sequence[str], num_draws: int
) -> dict[str, BesideNull]:
    """Return the AUC of each feature."""
    num_runs, _, num_features = features.shape
    ranks = stats.rankdata(features, axis=0)
    count = is_key.sum(axis=0)
    least = float((count * (count + 1) / 2).sum())
    pairs = float((count * (num_runs - count)).sum())
    table = ranks.reshape(-1, num_features)
    generator = np.random.default_rng(SEED)
    drawn = []
    for start in range(0, num_draws, _AT_ONCE):
        num = min(_AT_ONCE, num_draws - start)
        rows = np.tile(np.arange(num_runs), (num, 1))
        keys = is_key[generator.permuted(rows, axis=1)].reshape(num, -1)
        drawn.append((keys.astype(float) @ table - least) / pairs)
    null = np.concatenate(drawn)
    found = {}
    for k, name in enumerate(names):
        estimate = auc(features[..., k], is_key)
        assert estimate is not None
        found[name] = _beside(estimate, null[:, k], two_sided=True)
    return found


def _brier(
    log_odds: Float[np.ndarray, "run irrep"],
    rates: Float[np.ndarray, "run irrep"],
    is_key: Keys,
) -> tuple[Float[np.ndarray, " run"], Float[np.ndarray, " run"]]:
    """Return the squared errors of both predictions (Brier, 1950), summed by run."""
    errors = (special.expit(log_odds) - is_key) ** 2
    return errors.sum(axis=1), ((rates - is_key) ** 2).sum(axis=1)


def _skill(
    log_odds: Float[np.ndarray, "run irrep"],
    rates: Float[np.ndarray, "run irrep"],
    is_key: Keys,
) -> Estimate:
    errors, others = _brier(log_odds, rates, is_key)
    ratio = float(errors.sum() / others.sum())
    influence = (ratio * others - errors) / others.sum()
    return with_interval(1 - ratio, influence, high=1.0)


def _beside(
    estimate: Estimate, drawn: Float[np.ndarray, " draw"], two_sided: bool = False
) -> BesideNull:
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(drawn, tails).tolist()
    value, null = estimate.value, drawn
    if two_sided:
        value, null = abs(value - 0.5), np.abs(drawn - 0.5)
    return BesideNull(estimate, low, high, random_p_value(value, null))
