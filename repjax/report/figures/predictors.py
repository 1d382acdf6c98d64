"""Figures of predictors: discrimination beside its null, and calibration."""

import numpy as np
from matplotlib.figure import Figure

from repjax.report.figures.look import (
    BOTTOM,
    GRID,
    MUTED,
    SERIES,
    TOP,
    WIDTH,
    new_figure,
    share_axis,
)
from repjax.report.selection import Selection
from repjax.statistics.predictors import Prediction


def _prediction(selection: Selection) -> Prediction | None:
    return None if selection.laws is None else selection.laws.prediction


def areas(selection: Selection) -> Figure | None:
    """Plot the AUC of each feature, and of all together, beside its null."""
    prediction = _prediction(selection)
    if prediction is None:
        return None
    rows = {"all": prediction.auc, **prediction.aucs}
    height = 0.19 * len(rows)
    figure, (axes,) = new_figure(row_height=height, right=0.2)
    left = 0.3 + 0.055 * max(map(len, rows))
    figure.subplots_adjust(left=left / WIDTH)
    figure.set_figheight(height + TOP + BOTTOM)
    ends = [0.5]
    for y, (name, found) in enumerate(rows.items()):
        color = SERIES[1 if name == "all" else 0]
        value, low, high = (
            found.estimate.value,
            found.estimate.low,
            found.estimate.high,
        )
        width = found.null_high - found.null_low
        axes.barh(y, width, 0.7, left=found.null_low, color=GRID, lw=0)
        if low is not None and high is not None:
            axes.plot([low, high], [y, y], color=color, lw=1.6)
            ends += [low, high]
        axes.plot(value, y, "o", color=color, ms=4, clip_on=False)
        ends += [value, found.null_low, found.null_high]
    axes.axvline(0.5, color=MUTED, lw=0.8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows])
    axes.set_xlim(min(ends) - 0.02, max(ends) + 0.02)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"AUC within irreps (n = {prediction.num_runs:,})")
    return figure


def reliability(selection: Selection) -> Figure | None:
    """Plot observed shares against predicted probabilities."""
    prediction = _prediction(selection)
    if prediction is None:
        return None
    bins = prediction.calibration.bins
    figure, (axes,) = new_figure(right=0.2)
    highest = max([one.predicted for one in bins] + [one.observed.high for one in bins])
    axes.plot([0, highest], [0, highest], color=MUTED, lw=0.8)
    at = np.array([one.predicted for one in bins])
    shares = [one.observed for one in bins]
    axes.vlines(
        at, [s.low for s in shares], [s.high for s in shares], color=SERIES[0], lw=1.2
    )
    axes.plot(
        at, [s.value or 0.0 for s in shares], "o-", color=SERIES[0], ms=3.5, lw=0.8
    )
    share_axis(axes, "% of entries key", highest)
    axes.set_xlim(0, min(1.02, 1.05 * highest))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
    axes.set_xlabel("predicted, %")
    return figure
