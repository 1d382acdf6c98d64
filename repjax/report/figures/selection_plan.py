"""Titles and captions of the figures of the law of selection."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from repjax.report.figures import generalisation, predictors, selection
from repjax.report.selection_numbers import MOST_SETS
from repjax.report.story import Story

Plan = Iterator[tuple[str, str, str, Callable[[], Figure | None]]]
"""Name, title, caption and plot of each figure."""


def selection_plan(story: Story) -> Plan:
    """Yield the figures of section "Selection" of a cell."""
    found = story.selection
    if found is None:
        return
    yield (
        "frequencies",
        "How often each irrep is learned, by orbit",
        "Share of the runs that generalised in which the irrep is key, with its 95 % "
        "Clopper–Pearson interval. A band holds irreps that automorphisms of the group "
        "exchange: they are equally likely to be key, and the line in it is their "
        f"mean. At most {selection.MOST_IRREPS} irreps, the most frequent ones.",
        partial(selection.frequencies, found),
    )
    yield (
        "key_sets",
        "Key sets",
        "A row of dots is a set of key irreps, its bar the share of the runs that "
        "generalised that have it, with its 95 % Clopper–Pearson interval. The "
        f"{MOST_SETS} most frequent sets; the last bar is all others together.",
        partial(selection.key_sets, found),
    )
    yield (
        "order",
        "Which of two irreps comes first",
        "Share of runs in which the row's irrep is learned before the column's, of "
        "those that learned both at different evaluated steps: orange where the row's "
        "is first, blue where the column's is. Early irreps are on top.",
        partial(selection.order, found),
    )
    yield (
        "thresholds",
        "Dependence on the key threshold",
        "Distinct key sets, mean number of key irreps with its 95 % bootstrap "
        "interval, and share of runs in which the most frequent irreps are key, if an "
        "irrep is key above this logit similarity; 0.005 everywhere else.",
        partial(selection.thresholds, found),
    )
    yield (
        "predictors",
        "Are key irreps written in the initial weights?",
        "Area under the ROC curve, within irreps: probability that of two runs the one "
        "with the irrep as key had the larger energy at step 0. Dot and line: value "
        "and 95 % bootstrap interval; grey band: 95 % of shuffles of the key sets "
        "over runs. All: a logistic regression, on runs that it was not fitted to.",
        partial(predictors.areas, found),
    )
    yield (
        "calibration",
        "Calibration of the prediction",
        "Share of entries (run, irrep) in which the irrep is key, against the "
        "probability that the regression predicts, in bins of equal size, with 95 % "
        "Clopper–Pearson intervals. On the diagonal the prediction is calibrated.",
        partial(predictors.reliability, found),
    )


def generalisation_plan(stories: Sequence[Story]) -> Plan:
    """Yield a figure of generalisation for each group and network."""
    for lines in generalisation.lines_of_groups(stories):
        done = "learned the whole table" if lines.whole else "generalised"
        name = re.sub(r"[^\w-]+", "_", lines.title)
        yield (
            f"generalisation/{name}_{lines.number}",
            f"{lines.title}: when runs have {done}"
            + (f", by {lines.by}" if lines.by else ""),
            f"Share of all runs that have {done} by each step, 1 − Kaplan–Meier, with "
            "its 95 % band (log–log transformed); runs that never did count as "
            "censored at their end.",
            partial(generalisation.generalisation, lines),
        )
