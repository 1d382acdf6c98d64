"""Sweeps: lines against one key, phase diagrams over two."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from repjax.report.figures.look import (
    BOTTOM,
    DASHES,
    LEFT,
    SERIES,
    TOP,
    WIDTH,
    add_key,
    loss_axis,
    new_figure,
    plain,
    share_axis,
)
from repjax.report.sweeps import Point, Sweep, in_order

MOST_LINES = 12
"""Lines in one figure: six colours, solid and dashed."""


def panels_of(sweep: Sweep) -> dict[str, list[Point]]:
    """Return the points by group and architecture, which make a line or a panel."""
    return {
        line: list(points)
        for line, points in groupby(sweep.points, lambda point: point.line)
    }


def over_one_key(lines: dict[str, list[Point]], key: str) -> Figure:
    """Plot the share of runs that generalised, and median step, against one key.

    Args:
        lines: name → its points, by value; at most `MOST_LINES`.
        key: dotted key of the swept setting.
    """
    values = sorted(
        {point.values[0] for points in lines.values() for point in points}, key=in_order
    )
    figure, (above, below) = new_figure(num_rows=2)
    keys = []
    steps: list[float] = []
    for i, (name, points) in enumerate(lines.items()):
        color, dash = SERIES[i % len(SERIES)], DASHES[i // len(SERIES)]
        # Shifted sideways, or their intervals would hide each other.
        shift = 0.5 * ((i + 0.5) / len(lines) - 0.5) if len(lines) > 1 else 0.0
        at = np.array([values.index(point.values[0]) for point in points]) + shift
        shares = [point.generalised for point in points]
        heights = [share.value or 0.0 for share in shares]
        above.plot(at, heights, "o", ls=dash, color=color, ms=3, label=name)
        above.vlines(
            at,
            [s.low for s in shares],
            [s.high for s in shares],
            color=color,
            lw=0.9,
            label=f"{name}, 95 % interval",
        )
        known = [
            (x, point.survival)
            for x, point in zip(at, points, strict=True)
            if point.survival is not None and point.survival.median is not None
        ]
        medians = [survival.median or np.nan for _, survival in known]
        places = [x for x, _ in known]
        below.plot(places, medians, "o", ls=dash, color=color, ms=3, label=name)
        for x, survival in known:
            if survival.low is not None and survival.high is not None:
                ends, label = (survival.low, survival.high), f"{name}, 95 % interval"
                below.vlines(x, *ends, color=color, lw=0.9, label=label)
                steps += [survival.low, survival.high]
        steps += medians
        keys.append(Line2D([], [], color=color, ls=dash, label=name))
    share_axis(above, "% generalised", 1.0)
    loss_axis(below, "median step", [np.array(steps)])
    if not steps:
        below.set_yticks([])
    below.set_xlim(-0.5, len(values) - 0.5)
    below.set_xticks(range(len(values)), values)
    below.set_xlabel(key)
    add_key(figure, keys)
    return figure


def phase_diagram(points: Sequence[Point], keys: Sequence[str]) -> Figure:
    """Plot the share of runs that generalised, and median step, over two keys.

    One group and architecture; combinations without runs stay empty.
    """
    across, up = (
        sorted({point.values[i] for point in points}, key=in_order) for i in (0, 1)
    )
    height = max(0.2 * len(up), 0.9)
    longest = max(len(value) for value in up)
    figure, rows = new_figure(num_rows=2, row_height=height, right=0.2)
    figure.subplots_adjust(left=max(LEFT, 0.42 + 0.055 * longest) / WIDTH)
    figure.set_figheight(TOP + BOTTOM + 2 * height + 0.26)
    medians = [
        point.survival.median
        for point in points
        if point.survival is not None and point.survival.median is not None
    ]
    for axes, of_steps in zip(rows, (False, True), strict=True):
        for point in points:
            text, depth = _of_steps(point, medians) if of_steps else _of_share(point)
            x, y = across.index(point.values[0]), up.index(point.values[1])
            # One colour of varying opacity, not a colour map: it works in dark mode.
            axes.add_patch(
                Rectangle(
                    (x - 0.48, y - 0.48),
                    0.96,
                    0.96,
                    lw=0,
                    facecolor=SERIES[1 if of_steps else 0],
                    alpha=0.05 + 0.6 * depth,
                )
            )
            axes.text(x, y, text, ha="center", va="center_baseline", fontsize=7)
        axes.set_xlim(-0.5, len(across) - 0.5)
        axes.set_ylim(-0.5, len(up) - 0.5)
        axes.set_yticks(range(len(up)), up)
        axes.set_ylabel(keys[1])
        axes.set_title("median step" if of_steps else "runs that generalised")
        axes.grid(False)
    rows[1].set_xticks(range(len(across)), across)
    rows[1].set_xlabel(keys[0])
    return figure


def _of_share(point: Point) -> tuple[str, float]:
    share = point.generalised
    return f"{share.count}/{share.total}", share.value or 0.0


def _of_steps(point: Point, medians: Sequence[float]) -> tuple[str, float]:
    """Return the median step, or a dash if there is none, and the colour's depth."""
    if point.survival is None or point.survival.median is None:
        return "–", 0.0
    low, high = np.log(min(medians)), np.log(max(medians))
    place = (np.log(point.survival.median) - low) / (high - low) if high > low else 0.0
    return plain(point.survival.median), 1.0 - 0.8 * place
