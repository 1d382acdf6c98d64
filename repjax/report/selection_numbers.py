"""The law of selection in analysis.json; docs/selection.md names every number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from repjax.report.comparisons import Comparison, Comparisons
from repjax.report.numbers import (
    estimate_numbers,
    numbers,
    share_numbers,
    significance_numbers,
)
from repjax.report.selection import Laws, Neurons, Selection
from repjax.statistics.intervals import share
from repjax.statistics.precedence import Precedence
from repjax.statistics.predictors import BesideNull, Prediction
from repjax.statistics.significance import Significance
from repjax.statistics.survival import Curve
from repjax.statistics.thresholds import AtThreshold

MOST_SETS = 20
"""Key sets that are listed; the others are one number."""


def selection_numbers(
    selection: Selection, adjusted: tuple[float, float] | None
) -> dict[str, Any]:
    """Return the law of selection of a cell.

    Args:
        selection: the law.
        adjusted: p-values of its tests of exchangeability, corrected for the report.
    """
    orbits = selection.orbits.tolist()
    frequencies = {
        name: share_numbers(frequency) | {"orbit": orbit}
        for name, frequency, orbit in zip(
            selection.irreps, selection.frequencies, orbits, strict=True
        )
    }
    found: dict[str, Any] = {
        "generalised": share_numbers(selection.generalised),
        "frequencies": frequencies,
        "generalisation": _curve(selection.curve),
    }
    if selection.laws is None:
        return found | {"laws": None}
    return found | {"laws": _laws(selection.laws, selection.irreps, adjusted)}


def comparison_numbers(comparisons: Comparisons) -> list[dict[str, Any]]:
    """Return the comparisons of cells, one entry for each."""
    return [_comparison(pair) for pair in comparisons.pairs]


def _laws(
    laws: Laws, irreps: tuple[str, ...], adjusted: tuple[float, float] | None
) -> dict[str, Any]:
    sets = laws.sets
    shown = [
        {"irreps": np.array(irreps)[row].tolist()}
        | share_numbers(share(count, sets.num_runs))
        for row, count in zip(
            sets.rows[:MOST_SETS], sets.counts[:MOST_SETS].tolist(), strict=True
        )
    ]
    rest = share(int(sets.counts[MOST_SETS:].sum()), sets.num_runs)
    tests = None
    if laws.exchangeability is not None:
        tests = _tests(
            laws.exchangeability.irreps, laws.exchangeability.sets, adjusted
        ) | {"left_out": laws.exchangeability.num_left_out}
    return {
        "num_sets": sets.num_sets,
        "sets": shown,
        "other_sets": share_numbers(rest),
        "unseen_mass": estimate_numbers(laws.unseen),
        "entropy": estimate_numbers(laws.entropy),
        "thresholds": [_threshold(at, irreps) for at in laws.thresholds],
        "stable": share_numbers(laws.stable),
        "order": None if laws.order is None else _order(laws.order, irreps),
        "smaller_first": estimate_numbers(laws.smaller_first),
        "exchangeability": tests,
        "repeated_runs": laws.num_repeated,
        "neurons": None if laws.neurons is None else _neurons(laws.neurons),
        "prediction": (
            None if laws.prediction is None else _prediction(laws.prediction, irreps)
        ),
    }


def _tests(
    irreps: Significance, sets: Significance, adjusted: tuple[float, float] | None
) -> dict[str, Any]:
    of_irreps, of_sets = adjusted or (irreps.p_value, sets.p_value)
    return {
        "irreps": significance_numbers(irreps, of_irreps),
        "sets": significance_numbers(sets, of_sets),
    }


def _threshold(at: AtThreshold, irreps: tuple[str, ...]) -> dict[str, Any]:
    return {
        "threshold": at.threshold,
        "num_sets": at.num_sets,
        "num_key_irreps": estimate_numbers(at.num_key),
        "entropy": estimate_numbers(at.entropy),
        "unchanged": share_numbers(at.unchanged),
        "irreps": {
            name: {"share": share, "low": low, "high": high}
            for name, share, low, high in zip(
                irreps,
                at.shares.tolist(),
                at.low.tolist(),
                at.high.tolist(),
                strict=True,
            )
        },
    }


def _order(order: Precedence, irreps: tuple[str, ...]) -> dict[str, Any]:
    """Return counts in rows and columns, for the irreps that some run learned."""
    learned = np.flatnonzero(np.diagonal(order.tied))
    kept = np.ix_(learned, learned)
    return {
        "irreps": np.array(irreps)[learned].tolist(),
        "before": order.before[kept].tolist(),
        "tied": order.tied[kept].tolist(),
    }


def _neurons(neurons: Neurons) -> dict[str, Any]:
    predictions: dict[str, Any] = {}
    for name, fit in neurons.proportions.items():
        predictions[name] = {
            "slope": estimate_numbers(fit.slope),
            "explained": estimate_numbers(fit.explained),
        }
    for name, of in neurons.allocations.items():
        predictions.setdefault(name, {}).update(
            error=estimate_numbers(of.error), best=of.best
        )
    return {
        "counted": neurons.counted,
        "exponent": estimate_numbers(neurons.exponent),
        "predictions": predictions,
    }


def _prediction(found: Prediction, irreps: tuple[str, ...]) -> dict[str, Any]:
    calibration = found.calibration
    return {
        "runs": found.num_runs,
        "folds": found.num_folds,
        "refits": found.num_refits,
        "irreps": np.array(irreps)[found.used].tolist(),
        "auc": _beside(found.auc),
        "skill": _beside(found.skill),
        "features": {
            name: {
                "auc": _beside(beside),
                "coefficient": estimate_numbers(found.coefficients[name]),
            }
            for name, beside in found.aucs.items()
        },
        "calibration": {
            "slope": estimate_numbers(calibration.slope),
            "intercept": estimate_numbers(calibration.intercept),
            "bins": [
                {"predicted": one.predicted} | share_numbers(one.observed)
                for one in calibration.bins
            ],
        },
    }


def _beside(found: BesideNull) -> dict[str, Any]:
    return {
        "estimate": estimate_numbers(found.estimate),
        "null": [numbers(found.null_low), numbers(found.null_high)],
        "p_value": found.p_value,
    }


def _curve(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "steps": numbers(curve.steps),
        "shares": numbers(curve.shares),
        "low": numbers(curve.low),
        "high": numbers(curve.high),
        "at_risk": curve.at_risk.tolist(),
    }


def _comparison(pair: Comparison) -> dict[str, Any]:
    irreps: Mapping[str, Any] = {}
    if pair.differences is not None:
        of = pair.differences
        columns = (of.difference, of.low, of.high, of.p_values, of.adjusted)
        names = ("difference", "low", "high", "p_value", "adjusted_p_value")
        irreps = {
            irrep: dict(zip(names, values, strict=True))
            for irrep, *values in zip(
                pair.irreps, *(column.tolist() for column in columns), strict=True
            )
        }
    return {
        "first": pair.first,
        "second": pair.second,
        "by": pair.by,
        "values": list(pair.values),
        "same_law": significance_numbers(pair.test, pair.adjusted),
        "irreps": irreps,
    }
