"""The law of selection in words: section "Selection" of a cell."""

from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np

from repjax.report.selection import FEWEST_RUNS, Laws, Neurons, Selection
from repjax.report.story import Story
from repjax.statistics.exchangeability import Exchangeability
from repjax.statistics.intervals import Estimate, Share
from repjax.statistics.predictors import BesideNull, Prediction
from repjax.statistics.significance import NUM_DRAWS, Significance, holm
from repjax.statistics.survival import Curve
from repjax.statistics.thresholds import THRESHOLDS

LEVEL = 0.05
"""A null is rejected where its corrected p-value is at most this."""

FAULT = (
    "Automorphisms of the group change neither the data nor the distribution of the "
    "initial weights: this is a fault of repjax (initial weights, splits, seeds or "
    "measurement) and no property of the group."
)


def corrected_exchangeability(
    stories: Iterable[Story],
) -> dict[str, tuple[float, float]]:
    """Return the p-values of irreps and of sets of each cell that has these tests.

    They are corrected together by Holm's method: of a whole report, a sound repjax
    fails any in 5 % of cases.
    """
    tests = {
        story.name: story.selection.laws.exchangeability
        for story in stories
        if story.selection is not None and story.selection.laws is not None
    }
    found = {name: test for name, test in tests.items() if test is not None}
    p_values = [(t.irreps.p_value, t.sets.p_value) for t in found.values()]
    adjusted = holm(np.array(p_values).ravel()).reshape(-1, 2).tolist()
    return {
        name: (irreps, sets)
        for name, (irreps, sets) in zip(found, adjusted, strict=True)
    }


def selection_words(
    story: Story, adjusted: tuple[float, float] | None
) -> tuple[str, ...]:
    """Return sentences on the law of selection of a cell; none for a single run.

    Args:
        story: cell.
        adjusted: p-values of its tests of exchangeability, corrected for the report.
    """
    selection = story.selection
    if selection is None:
        return ()
    whole = story.results.cell.whole_table
    sentences = [_runs(selection, whole)]
    if selection.laws is not None:
        laws = selection.laws
        sentences += [
            *_sets(laws, selection.irreps),
            *_exchangeable(laws, adjusted),
            *_order(laws, story.imported),
            _stability(laws.stable),
            *_allocation(laws.neurons),
            *_predicted(laws.prediction),
        ]
    return (*sentences, *_generalisation(selection.curve, whole))


def _runs(selection: Selection, whole: bool) -> str:
    runs, done = (
        selection.generalised,
        "learned the whole table" if whole else ("generalised"),
    )
    if not runs.count:
        return f"None of {runs.total:,} runs {done}, so there is no law of key sets."
    text = f"{runs.count:,} of {runs.total:,} runs {done}; "
    if selection.laws is None:
        return f"{text}frequencies only, since tests need {FEWEST_RUNS} such runs."
    return f"{text}the law of key sets is over these."


def _sets(laws: Laws, irreps: Sequence[str]) -> list[str]:
    sets = laws.sets
    names = ", ".join(np.array(irreps)[sets.rows[0].astype(bool)]) or "no irrep"
    number = "1 key set" if sets.num_sets == 1 else f"{sets.num_sets:,} key sets"
    found = [
        f"{number}; the most frequent, {names}, in "
        f"{_percent(sets.shares[0], sets.low[0], sets.high[0])} of runs."
    ]
    if laws.unseen is not None:
        found.append(
            "The next run has a set not seen yet with probability "
            f"{_percent_of(laws.unseen)}, by the estimate of Good and Turing."
        )
    if laws.entropy is not None:
        found.append(f"Entropy {_value(laws.entropy)} nats.")
    return found


def _exchangeable(laws: Laws, adjusted: tuple[float, float] | None) -> list[str]:
    found = []
    if laws.exchangeability is None:
        found.append("Exchangeable over Aut(G): no automorphism moves a key set.")
    else:
        found += _tests(laws.exchangeability, adjusted)
    if laws.num_repeated:
        runs = (
            "1 run has" if laws.num_repeated == 1 else f"{laws.num_repeated} runs have"
        )
        found.append(
            f"{runs} exactly the numbers of another: a seed was used twice, which is "
            "a fault."
        )
    return found


def _tests(found: Exchangeability, adjusted: tuple[float, float] | None) -> list[str]:
    corrected = adjusted or (found.irreps.p_value, found.sets.p_value)
    parts = [
        f"{name} {'yes' if p_value > LEVEL else 'no'}, {_p_value(test, p_value)}"
        for name, test, p_value in zip(
            ("irreps", "sets"), (found.irreps, found.sets), corrected, strict=True
        )
    ]
    sentences = [f"Exchangeable over Aut(G): {'; '.join(parts)}."]
    if min(corrected) <= LEVEL:
        sentences.append(FAULT)
    if found.num_left_out:
        sentences.append(
            f"{found.num_left_out:,} runs were left out: the orbits of their sets are "
            "too large."
        )
    return sentences


def _p_value(test: Significance, adjusted: float) -> str:
    how = "exact" if test.exact else f"Monte Carlo, {NUM_DRAWS:,} draws"
    text = f"p = {test.p_value:.2g} ({how}"
    if adjusted != test.p_value:
        text += f"; {adjusted:.2g} after Holm's correction"
    return f"{text})"


def _order(laws: Laws, imported: bool) -> list[str]:
    if imported or laws.order is None:
        return ["Order of learning: not measured."]
    if laws.smaller_first is None:
        return []
    return [
        "The irrep of smaller dimension comes first in "
        f"{_percent_of(laws.smaller_first)} of pairs of different dimension."
    ]


def _stability(stable: Share) -> str:
    return (
        f"{_percent(stable.value, stable.low, stable.high)} of runs have the same key "
        f"set for every threshold from {min(THRESHOLDS):g} to {max(THRESHOLDS):g}."
    )


def _allocation(neurons: Neurons | None) -> list[str]:
    if neurons is None:
        return []
    found = []
    if neurons.exponent is not None and isfinite(neurons.exponent.value):
        found.append(
            f"Neurons of a key irrep grow like d to the {_value(neurons.exponent)}, "
            "within runs."
        )
    if neurons.allocations:
        name, best = min(
            neurons.allocations.items(), key=lambda item: item[1].error.value
        )
        found.append(
            f"Of {', '.join(neurons.allocations)}, {name} misplaces fewest neurons, "
            f"{_percent_of(best.error)}, and is best in {100 * best.best:.0f} % of "
            "bootstrap samples."
        )
    return found


def _predicted(prediction: Prediction | None) -> list[str]:
    """Tell how well the regression on all energies predicts, and the best energy."""
    if prediction is None:
        return []
    name, best = max(
        prediction.aucs.items(), key=lambda item: abs(item[1].estimate.value - 0.5)
    )
    return [
        "Energies at step 0 predict which runs have an irrep as key with an AUC of "
        f"{_beside(prediction.auc)}; {name.replace('_', ' ')} alone with "
        f"{_beside(best)}. Brier skill {_value(prediction.skill.estimate)}, slope of "
        f"calibration {_value(prediction.calibration.slope)}."
    ]


def _beside(found: BesideNull) -> str:
    return (
        f"{_value(found.estimate)}, shuffled {found.null_low:.2f} to "
        f"{found.null_high:.2f}, p = {found.p_value:.2g}"
    )


def _generalisation(curve: Curve | None, whole: bool) -> list[str]:
    if curve is None:
        return []
    done = "learned the whole table" if whole else "generalised"
    reached = np.flatnonzero(curve.shares >= 0.5)
    if not reached.size:
        return [f"Less than half of all runs have {done} by the end (Kaplan–Meier)."]
    return [
        f"Half of all runs have {done} by step "
        f"{curve.steps[reached[0]]:,.0f} (Kaplan–Meier; runs that never did count as "
        "censored at their end)."
    ]


def _percent_of(estimate: Estimate) -> str:
    return _percent(estimate.value, estimate.low, estimate.high)


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    """Return a share and its interval, as 31.2 % (28.3 to 34.2 %)."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f} %"
    if low is None or high is None:
        return text
    return f"{text} ({100 * low:.1f} to {100 * high:.1f} %)"


def _value(estimate: Estimate) -> str:
    text = f"{estimate.value:.2f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({estimate.low:.2f} to {estimate.high:.2f})"
