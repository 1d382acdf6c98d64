"""Look of the figures: sizes, fonts, colours, and the style of each irrep.

Every colour has a name, by which the page replaces it in dark mode. Lines keep at
least 3:1 of contrast on paper and on a dark screen, and those of `SERIES` differ for
colour-blind readers too; tests/report/figures/test_look.py checks both. From the
seventh irrep on, the dashes differ instead.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, log10
from typing import SupportsFloat

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from repjax.storage.results import CellResults

PAPER, INK, MUTED, GRID = "#ffffff", "#1a1c21", "#5c636e", "#dfe2e7"
SERIES = ("#106eb1", "#b94602", "#018e66", "#c2569a", "#ba8402", "#449ad6")
PHASES = ("#e9f0f7", "#fbeed6", "#e3f2e9")
DASHES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2.5, 2.5)),
    (0, (1, 3)),
    (0, (9, 1.5, 3, 1.5)),
    (0, (5, 3, 1, 3)),
)
"""Dashes; with six colours they are enough for the 60 irreps of C118."""

DARK = {
    PAPER: "#14161a",
    INK: "#e8eaee",
    MUTED: "#a2a9b4",
    GRID: "#343943",
    **dict(
        zip(
            SERIES,
            ("#45a1e1", "#f28a3c", "#2fc79a", "#e58cc4", "#f9c446", "#9cd0f5"),
            strict=True,
        )
    ),
    **dict(zip(PHASES, ("#1b2733", "#35291a", "#1a2e25"), strict=True)),
}
"""Each colour and its replacement in dark mode."""

COLOUR_NAMES = {
    PAPER: "paper",
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    **{colour: f"series-{i}" for i, colour in enumerate(SERIES)},
    **{colour: f"phase-{i}" for i, colour in enumerate(PHASES)},
}
"""Each colour and its name in the page's style sheet."""

SEQUENTIAL = "cividis"
DIVERGING = LinearSegmentedColormap.from_list(
    "blue to orange", ["#00416a", SERIES[0], "#f4f4f2", SERIES[1], "#7a2e00"]
)

WIDTH = 3.9
LEFT, RIGHT, TOP, BOTTOM = 0.58, 1.08, 0.27, 0.42
ROW_GAP = 0.26
"""Sizes in inches: one column of a journal, or a phone with 8 point type."""

MAX_KEYS = 12
"""Most entries of a legend; the last one says how many more there are."""

RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.labelspacing": 0.35,
    "lines.linewidth": 1.3,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "repjax",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def look() -> AbstractContextManager[None]:
    """Return a context with matplotlib's settings for these figures.

    It ignores the user's settings. Draw and save inside it: some settings are read when
    a figure is saved.
    """
    return matplotlib.style.context(["default", RC])


@dataclass(frozen=True)
class LineStyle:
    """Colour and dashes of a line, the same in every figure."""

    color: str
    linestyle: object = "-"


NAMED = {
    "train_loss": LineStyle(SERIES[0]),
    "test_loss": LineStyle(SERIES[1]),
    "restricted_loss": LineStyle(SERIES[2], DASHES[1]),
    "excluded_loss": LineStyle(SERIES[3], DASHES[3]),
}


def irrep_styles(results: CellResults) -> dict[str, LineStyle]:
    """Return a style for each non-trivial irrep of a cell, for all of its figures.

    Irreps that more runs learned come first and get solid lines.
    """
    runs = results.is_key.sum(axis=0)
    order = sorted(range(len(results.irreps)), key=lambda i: (-runs[i], i))
    names = [results.irreps[i] for i in order if results.irreps[i] != "trivial"]
    styles = [LineStyle(color, dash) for dash, color in product(DASHES, SERIES)]
    return {name: styles[i % len(styles)] for i, name in enumerate(names)}


def new_figure(
    num_rows: int = 1, row_height: float = 1.75, right: float = RIGHT
) -> tuple[Figure, list[Axes]]:
    """Create a figure of stacked axes that share the x axis.

    Margins are fixed in inches, so that the plots of successive figures are aligned.
    """
    height = TOP + BOTTOM + num_rows * row_height + (num_rows - 1) * ROW_GAP
    figure = Figure(figsize=(WIDTH, height))
    grid = figure.subplots(num_rows, 1, sharex=True, squeeze=False)
    figure.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - right / WIDTH,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        hspace=ROW_GAP / row_height,
    )
    return figure, list(grid[:, 0])


def step_axis(axes: Axes, steps: np.ndarray) -> None:
    """Set the x axis to optimiser steps, logarithmic but for step 0 at the left."""
    positive = steps[steps > 0]
    first = floor(log10(positive.min())) if positive.size else 0
    last = max(steps.max(initial=1), 1.01 * 10.0**first)
    axes.set_xscale("symlog", linthresh=10.0**first, linscale=0.3)
    axes.set_xlim(0 if steps.min(initial=0) <= 0 else 10.0**first, last)
    exponents = range(first, floor(log10(last)) + 1)
    ticks = [0.0, *(10.0**k for k in exponents[:: 1 + len(exponents) // 7])]
    axes.set_xticks(ticks, [plain(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("step")


def smallest_step(axes: Axes) -> float:
    """Return the step at which the log part of a step axis begins."""
    return axes.get_xticks()[1]


def share_axis(
    axes: Axes, label: str, highest: SupportsFloat, percent: bool = True
) -> None:
    """Set the y axis to a share, from 0 to a little above `highest`."""
    axes.set_ylim(0, min(1.02, max(1.1 * float(highest), 0.01)))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    scale = 100 if percent else 1
    axes.yaxis.set_major_formatter(lambda value, _: f"{scale * value:.3g}")
    axes.set_ylabel(label)


def loss_axis(axes: Axes, label: str, values: Sequence[np.ndarray]) -> None:
    """Set the y axis to a loss in nats, logarithmic if any value is positive."""
    finite = np.concatenate([np.ravel(v) for v in values] or [np.zeros(0)])
    finite = finite[np.isfinite(finite) & (finite > 0)]
    if finite.size:
        axes.set_yscale("log")
        low, high = np.log10(finite.min()), np.log10(finite.max())
        pad = max(0.05 * (high - low), 0.1)
        axes.set_ylim(10 ** (low - pad), 10 ** (high + pad))
        exponents = range(ceil(low - pad), floor(high + pad) + 1)
        ticks = [10.0**k for k in exponents[:: 1 + len(exponents) // 6]]
        if high - low < 1.5:  # not enough powers of ten to read values off
            scale = 10.0 ** np.arange(floor(low - pad), ceil(high + pad))
            ticks = np.outer(scale, (1, 2, 5)).ravel().tolist()
            bottom, top = axes.get_ylim()
            ticks = [tick for tick in ticks if bottom <= tick <= top]
        axes.set_yticks(ticks, [plain(tick) for tick in ticks])
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(label)


def add_key(figure: Figure, entries: Sequence[Line2D | Patch]) -> None:
    """Add the legend at the right of all axes."""
    left_out = len(entries) - MAX_KEYS
    if left_out > 0:
        last = Line2D([], [], color="none", label=f"{left_out + 1} more")
        entries = [*entries[: MAX_KEYS - 1], last]
    if entries:
        figure.legend(
            handles=list(entries),
            loc="upper left",
            bbox_to_anchor=(1 - (RIGHT - 0.04) / WIDTH, figure.subplotpars.top),
            borderaxespad=0,
            borderpad=0,
            labelcolor=INK,
        )


def plain(value: float) -> str:
    """Format a number briefly: 0.01, 1, 100, 10k, 1.2M, 1e-3."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if unit <= value < 1e3 * unit:
            return f"{value / unit:.3g}{letter}"
    if value and not 1e-2 <= value < 1e9:
        exponent = floor(log10(value) + 1e-9)
        return f"{value / 10.0**exponent:.3g}e{exponent}"
    return f"{value:.3g}"
