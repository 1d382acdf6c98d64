"""Tables of the law of selection, of one cell and of pairs of cells."""

from collections.abc import Mapping

from repjax.report.comparisons import Comparison, Comparisons
from repjax.report.selection import Laws, Neurons
from repjax.report.selection_words import LEVEL
from repjax.report.story import Story
from repjax.report.tables import Cell, Table, decimal, percent, step
from repjax.statistics.intervals import Estimate
from repjax.statistics.significance import NUM_DRAWS


def selection_tables(story: Story) -> list[Table]:
    """Return the tables of a cell with enough runs; else none."""
    if story.selection is None or story.selection.laws is None:
        return []
    laws = story.selection.laws
    tables = [_thresholds(laws), _neurons(laws.neurons)]
    return [table for table in tables if table.rows]


def _thresholds(laws: Laws) -> Table:
    rows = [
        [
            Cell(f"{at.threshold:g}", at.threshold),
            step(at.num_sets),
            decimal(at.num_key.value, 2),
            _ends(at.num_key),
            decimal(at.entropy.value if at.entropy else None, 2),
            percent(at.unchanged.value),
        ]
        for at in laws.thresholds
    ]
    return Table(
        "Dependence on the key threshold",
        [
            *("Threshold", "key sets", "key irreps", "95 % interval"),
            *("entropy, nats", "runs unchanged, %"),
        ],
        rows,
        "An irrep is key if its final logit similarity is above the threshold; 0.005 "
        "everywhere else in this report. Unchanged: runs with the same set as there.",
    )


def _neurons(neurons: Neurons | None) -> Table:
    rows = []
    for name, fit in neurons.proportions.items() if neurons else ():
        of = neurons.allocations.get(name) if neurons else None
        rows.append(
            [
                Cell(name),
                decimal(fit.slope.value, 3),
                _ends(fit.slope, 3),
                decimal(fit.explained.value, 3),
                percent(of.error.value if of else None),
                percent(of.best if of else None),
            ]
        )
    counted = {
        "best irrep": "A live neuron counts for the irrep that it receives most of.",
        "clusters": "A neuron counts for every irrep of whose cluster it is.",
    }
    return Table(
        "Neurons of key irreps against predicted numbers",
        [
            *("Prediction", "slope", "95 % interval", "variance explained"),
            *("misplaced, %", "best, % of samples"),
        ],
        rows,
        (counted[neurons.counted] if neurons else "")
        + " d is the real dimension; ρ-set² the square of the least ρ-set. Misplaced: "
        "neurons of a run that are in another irrep than predicted.",
    )


def comparison_table(
    comparisons: Comparisons, titles: Mapping[str, str]
) -> Table | None:
    """Return a row for each pair of cells; None without pairs.

    Args:
        comparisons: pairs.
        titles: name of a story → its title.
    """
    if not comparisons.pairs:
        return None
    rows = [
        [
            Cell(titles[pair.first]),
            Cell(f"{pair.by}: {' and '.join(pair.values)}"),
            decimal(pair.test.effect),
            Cell(f"{pair.test.p_value:.2g}", pair.test.p_value),
            Cell(f"{pair.adjusted:.2g}", pair.adjusted),
            Cell("no" if pair.adjusted <= LEVEL else "not rejected"),
            Cell(_changed(pair)),
        ]
        for pair in comparisons.pairs
    ]
    more = comparisons.num_left_out
    return Table(
        "Is the law of key sets the same?",
        [
            *("First cell", "differ in", "effect", "p", "p, corrected"),
            *("same law", "irreps that differ"),
        ],
        rows,
        f"Permutation test, {NUM_DRAWS:,} draws, over runs that generalised. Effect: "
        "share of runs that would have to change, less its mean under the null. "
        "Corrected by Holm's method for all rows. Two groups are compared by the "
        "number of key irreps of each degree."
        + (f" {more:,} more pairs were not compared." if more else ""),
    )


def _changed(pair: Comparison) -> str:
    """Return the irreps whose frequency differs, with both signs of the difference."""
    if pair.differences is None:
        return "–"
    of = pair.differences
    return (
        ", ".join(
            f"{name} {100 * difference:+.0f} %"
            for name, difference, p_value in zip(
                pair.irreps, of.difference, of.adjusted, strict=True
            )
            if p_value <= LEVEL
        )
        or "none"
    )


def _ends(estimate: Estimate, digits: int = 2) -> Cell:
    if estimate.low is None or estimate.high is None:
        return decimal(None)
    text = f"{estimate.low:.{digits}f} – {estimate.high:.{digits}f}"
    return Cell(text, estimate.low)
