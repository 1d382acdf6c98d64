"""One figure for "Which explanation?": shares explained, beside their nulls."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from repjax.report.figures.look import (
    BOTTOM,
    INK,
    MUTED,
    SERIES,
    TOP,
    WIDTH,
    add_key,
    new_figure,
    share_axis,
    step_axis,
)
from repjax.report.rivals import NEURONS, SHARES, null_values, values_of
from repjax.report.story import Story

MAX_POINTS = 64
"""Most runs that have a point each; of more, the middle 90 % is a line."""

MARKERS = {"initial": "x", "memorised": "+", "shuffled": "s"}
"""Marker of each null's median."""


def explained_shares(story: Story) -> Figure | None:
    """Plot each share over runs: points, median, middle 50 %, and medians of nulls."""
    if story.rivals is None:
        return None
    names = {**SHARES, **NEURONS}
    rows = [
        (name, title, values)
        for name, title in names.items()
        if (values := _finite(values_of(story, name))).size
    ]
    if not rows:
        return None
    height = 0.22 * len(rows)
    figure, (axes,) = new_figure(row_height=height)
    figure.subplots_adjust(left=1.1 / WIDTH)
    figure.set_figheight(height + TOP + BOTTOM)
    shown = set()
    for y, (name, _, values) in enumerate(rows):
        color = SERIES[0] if name in SHARES else SERIES[1]
        low, quarter, median, three, high = np.percentile(values, (5, 25, 50, 75, 95))
        half = [quarter, three], [y, y]
        axes.plot(*half, color=color, lw=5, alpha=0.35, label="middle 50 %")
        if values.size <= MAX_POINTS:
            places = np.full(values.size, y)
            (dots,) = axes.plot(values, places, "o", color=color, ms=3, alpha=0.6)
            dots.set(clip_on=False, label="runs")
        else:
            axes.plot([low, high], [y, y], color=color, lw=1.2, label="middle 90 %")
        axes.plot(median, y, "|", color=INK, ms=10, mew=1.8, label="median")
        for null, marker in MARKERS.items():
            under = _finite(null_values(story, null, name))
            if under.size:
                place = np.median(under), y, marker
                axes.plot(*place, color=MUTED, ms=4, mfc="none", label=null)
                shown.add(null)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [title for _, title, _ in rows])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
    axes.set_xlabel("% of logits (above), of neurons (below)")
    axes.grid(False, axis="y")
    add_key(
        figure,
        [Line2D([], [], color=INK, marker="|", ls="", ms=8, label="median")]
        + [
            Line2D(
                [], [], color=MUTED, marker=marker, ls="", ms=4, mfc="none", label=null
            )
            for null, marker in MARKERS.items()
            if null in shown
        ],
    )
    return figure


ALONG = {
    "fve_class": "class functions",
    "fve_equivariant": "bi-equivariant",
    "test_accuracy": "test accuracy",
}
ALONG_NEURONS = {"coset_left": "on cosets", "pure_a": "pure neurons"}


def explained_over_training(story: Story) -> Figure | None:
    """Plot shares of the logits along training, and of neurons where snapshots are."""
    results = story.results
    known = [
        name
        for name in ALONG
        if np.isfinite(results.metrics.get(name, np.nan)).sum() > results.num_runs
    ]
    if story.imported or "fve_class" not in known:
        return None
    figure, (axes,) = new_figure()
    curves = [
        (label, results.steps, results.metrics[name])
        for name, label in ALONG.items()
        if name in known
    ]
    rivals = story.rivals or {}
    if "snapshot_steps" in rivals:
        steps = np.asarray(rivals["snapshot_steps"][0])
        curves += [
            (label, steps, np.asarray(rivals[f"snapshot_{name}"]))
            for name, label in ALONG_NEURONS.items()
        ]
    keys = []
    for (label, every_step, every), color in zip(curves, SERIES, strict=False):
        measured = np.isfinite(every).any(axis=0)
        steps, values = every_step[measured], every[:, measured]
        low, middle, high = np.nanpercentile(values, (25, 50, 75), axis=0)
        band = axes.fill_between(steps, low, high, alpha=0.2, color=color, linewidth=0)
        band.set_label(f"{label}, middle 50 %")
        axes.plot(steps, middle, color=color, gid=f"series:{label}")
        keys.append(Line2D([], [], color=color, label=label))
    share_axis(axes, "% of the logits, neurons, pairs", 1.0)
    step_axis(axes, results.steps)
    add_key(figure, keys)
    return figure


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]
