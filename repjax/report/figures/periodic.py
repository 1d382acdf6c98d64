"""The periodic table as one figure: a square for every irrep of every group."""

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from repjax.report.figures.look import GRID, INK, MUTED, SERIES, plain
from repjax.report.periodic import Square

COLUMNS = 12
MAX_SQUARES = 1_000
"""Largest number of squares in the figure; the page shows any number."""
SIDE, HEADER, MARGIN = 0.64, 0.34, 0.2
LEGEND = 0.55
TYPES = {"real": "ℝ", "complex": "ℂ", "quaternionic": "ℍ"}


def periodic_table(squares: Sequence[Square]) -> Figure | None:
    """Draw groups from small to large, squares in the order of the group's irreps.

    The deeper the colour, the more runs learned the irrep; a square has a stripe for
    each architecture (and setting). None without any square, or with more than
    `MAX_SQUARES`, which would take a figure of metres.
    """
    if len(squares) > MAX_SQUARES:
        return None
    groups = [
        (key, list(same))
        for key, same in groupby(squares, lambda square: (square.order, square.group))
    ]
    if not groups:
        return None
    heights = [HEADER + SIDE * -(-len(same) // COLUMNS) for _, same in groups]
    width = 2 * MARGIN + COLUMNS * SIDE
    height = 2 * MARGIN + LEGEND + sum(heights)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    _legend(axes)
    top = MARGIN + LEGEND
    for ((order, group), same), used in zip(groups, heights, strict=True):
        runs = same[0].learned.total
        stories = ", ".join(same[0].by_story)
        axes.text(
            MARGIN,
            top + 0.6 * HEADER,
            f"{group}   {order} elements, {runs} runs: {stories}",
            fontsize=8,
            fontweight="bold",
            va="center",
        )
        for k, square in enumerate(same):
            row, column = divmod(k, COLUMNS)
            _draw(axes, square, MARGIN + column * SIDE, top + HEADER + row * SIDE)
        top += used
    return figure


def squares_table(
    squares: Sequence[Square],
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return a row of text for each square, and the names of the columns."""
    columns = (
        "order",
        "group",
        "irrep",
        "dimension",
        "type",
        "runs in which it is key",
        "runs that generalised",
        "median step at which it was learned",
        "share of the hidden layer",
    )
    rows = [
        (
            *(str(square.order), square.group, square.irrep),
            *(str(square.dim), square.type),
            *(str(square.learned.count), str(square.learned.total)),
            *(
                f"{number.value:.6g}" if number else ""
                for number in (square.step, square.explained_hidden)
            ),
        )
        for square in squares
    ]
    return rows, columns


def _draw(axes: Axes, square: Square, x: float, y: float) -> None:
    side = SIDE - 0.05
    stripes = list(square.by_story.values()) or [square]
    for k, stripe in enumerate(stripes):
        left, width = x + k * side / len(stripes), side / len(stripes)
        alpha = 0.6 * (stripe.learned.value or 0.0)
        axes.add_patch(
            Rectangle((left, y), width, side, facecolor=SERIES[0], alpha=alpha, lw=0)
        )
    learned = square.learned.count > 0
    edge = MUTED if learned else GRID
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=edge, lw=0.6))
    color = INK if learned else MUTED
    size = min(7.0, 7.0 * 9 / max(len(square.irrep), 1))
    axes.text(x + 0.04, y + 0.11, square.irrep, fontsize=size, va="center", color=color)
    below = f"{square.dim} {TYPES[square.type]}"
    axes.text(x + 0.04, y + 0.235, below, fontsize=6, va="center", color=color)
    lines = [f"{square.learned.count}/{square.learned.total}"] if learned else []
    lines += [f"step {plain(float(round(square.step.value)))}"] if square.step else []
    if square.explained_hidden:
        lines.append(f"{100 * square.explained_hidden.value:.0f} % of h")
    for k, line in enumerate(lines):
        axes.text(x + 0.04, y + 0.345 + 0.095 * k, line, fontsize=5.2, va="center")


def _legend(axes: Axes) -> None:
    lines = (
        "A square per irrep: name; real dimension and type (ℝ real, ℂ complex, "
        "ℍ quaternionic); runs in which it is key / runs that generalised;",
        "median step at which it was learned; share of the hidden layer's variance "
        "in it, mean over the runs in which it is key.",
        "The deeper the colour, the larger the share of runs; where a group has "
        "several architectures, a square has a stripe for each, in the order named.",
    )
    for k, line in enumerate(lines):
        axes.text(MARGIN, MARGIN + 0.14 * k, line, fontsize=6.5, va="center")
