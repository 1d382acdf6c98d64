"""Neurons per key irrep: do they follow d², d³ or the square of the least ρ-set?

Morwani et al. (ICLR 2024) expect d³ neurons for an irrep of dimension d at the maximal
margin; the energy of an irrep grows like d²; a ρ-set circuit with s vectors takes s²
neurons (Wu et al., ICLR 2025). Each prediction is one size for each irrep, up to a
factor. Runs are the independent units: intervals are percentile bootstraps over runs.

To fit several groups at once, stack their runs, pad the irreps of the smaller groups
with irreps that are not key, and pass the sizes for each run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Real

from repjax.statistics.intervals import CONFIDENCE, Estimate, resampled_sums

NUM_RESAMPLES = 1999

Table = Real[np.ndarray, "run irrep"]
Sizes = Real[np.ndarray, " irrep"] | Real[np.ndarray, "run irrep"]


@dataclass(frozen=True)
class Proportion:
    """Least-squares line through the origin.

    Attributes:
        slope: neurons per unit of size.
        explained: 1 − ‖q − slope·size‖²/‖q − mean q‖², at most 1; negative where a
            constant number of neurons fits better, NaN where all numbers are equal.
    """

    slope: Estimate
    explained: Estimate


@dataclass(frozen=True)
class Allocation:
    """Neurons against one prediction without free parameters.

    Attributes:
        error: mean over runs of the share of neurons in the wrong irrep, in [0, 1): the
            total variation between actual and predicted shares of the key irreps.
        best: share of bootstrap samples in which this prediction has the least error of
            all compared, in [0, 1].
    """

    error: Estimate
    best: float


def proportion(
    neurons: Table, is_key: Bool[np.ndarray, "run irrep"], sizes: Sizes
) -> Proportion | None:
    """Fit neurons = slope·size over key irreps of all runs; None for fewer than 2 runs.

    Args:
        neurons: number of neurons of each irrep.
        is_key: entries that enter.
        sizes: predicted number up to a factor, such as d².
    """
    q, x = neurons * is_key, sizes * is_key
    parts = [is_key, q, q * q, q * x, x * x]
    return _bootstrap(parts, _slope, _explained, Proportion)


def exponent(
    neurons: Table,
    is_key: Bool[np.ndarray, "run irrep"],
    sizes: Sizes,
    within_runs: bool = True,
) -> Estimate | None:
    """Return the slope of log(neurons) on log(size) over key irreps with neurons.

    With the dimension as size, 2 speaks for d² and 3 for d³. The slope is that of
    ordinary least squares. Few neurons bias it, by about their relative variance.

    Args:
        neurons: number of neurons of each irrep.
        is_key: entries that enter.
        sizes: size of each irrep, positive where it is key.
        within_runs: compare irreps of the same run only; the factor may then differ
            between runs, as it does between groups and when runs have more key irreps.

    Returns:
        None for fewer than 2 runs, or where all sizes compared are equal.
    """
    used = is_key & (neurons > 0)
    x, y = (
        np.log(values, out=np.zeros(used.shape), where=used)
        for values in (np.broadcast_to(sizes, used.shape).astype(float), neurons)
    )
    num = used.sum(axis=1, keepdims=True) if within_runs else used.sum()
    axis = 1 if within_runs else None
    # Centred on the mean of the run, x and y have no sum within any run. Centred on
    # that of all entries, the sums below lose no digits.
    x, y = (
        used * (v - v.sum(axis=axis, keepdims=True) / np.maximum(num, 1))
        for v in (x, y)
    )
    if np.allclose(x, 0):
        return None
    parts = [used, x, y, x * x, x * y]
    return _bootstrap(parts, _line, _line, lambda estimate, _: estimate)


def allocations(
    neurons: Table,
    is_key: Bool[np.ndarray, "run irrep"],
    predictions: Mapping[str, Sizes],
) -> dict[str, Allocation]:
    """Compare the shares of neurons of the key irreps of each run with predictions.

    Runs with fewer than two key irreps, or no neurons, say nothing and are left out.

    Args:
        neurons: number of neurons of each irrep.
        is_key: irreps among which the neurons of a run are shared.
        predictions: sizes, such as d³, by the name of the prediction.

    Returns:
        One entry for each prediction; none for fewer than two runs.
    """
    q = neurons * is_key
    used = (is_key.sum(axis=1) > 1) & q.any(axis=1)
    if used.sum() < 2:
        return {}
    actual = q[used] / q[used].sum(axis=1, keepdims=True)
    errors = []
    for sizes in predictions.values():
        x = (sizes * is_key)[used]
        predicted = x / x.sum(axis=1, keepdims=True)
        errors.append(np.abs(actual - predicted).sum(axis=1) / 2)
    table = np.stack(errors, axis=1)
    drawn = resampled_sums(table, NUM_RESAMPLES) / len(table)
    wins = (drawn == drawn.min(axis=1, keepdims=True)).mean(axis=0)
    return {
        name: Allocation(_estimate(value, of, len(table)), float(best))
        for name, value, of, best in zip(
            predictions, table.mean(axis=0), drawn.T, wins, strict=True
        )
    }


def _slope(sums: Float[np.ndarray, "sample 5"]) -> Float[np.ndarray, " sample"]:
    _, _, _, qx, xx = sums.T
    return qx / xx


def _explained(sums: Float[np.ndarray, "sample 5"]) -> Float[np.ndarray, " sample"]:
    num, q, qq, qx, xx = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):  # where all q are equal
        return 1 - (qq - qx**2 / xx) / (qq - q**2 / num)


def _line(sums: Float[np.ndarray, "sample 5"]) -> Float[np.ndarray, " sample"]:
    num, x, y, xx, xy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return (xy - x * y / num) / (xx - x**2 / num)


def _bootstrap(
    parts: list[np.ndarray], first: Callable, second: Callable, build: Callable
):
    """Build a result from two functions of sums over runs; None for < 2 runs."""
    table = np.stack([part.sum(axis=1) for part in parts], axis=1).astype(float)
    table = table[table[:, 0] > 0]
    if len(table) < 2:
        return None
    drawn = resampled_sums(table, NUM_RESAMPLES)
    total = table.sum(axis=0, keepdims=True)
    return build(
        *(_estimate(of(total)[0], of(drawn), len(table)) for of in (first, second))
    )


def _estimate(value: float, drawn: Float[np.ndarray, " sample"], num: int) -> Estimate:
    """Return a value with the percentile interval of its bootstrap samples."""
    drawn = drawn[np.isfinite(drawn)]
    if not (np.isfinite(value) and drawn.size):
        return Estimate(float("nan"), None, None, num)
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(drawn, tails).tolist()
    return Estimate(float(value), low, high, num)
