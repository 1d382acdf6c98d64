"""Figures of the law of selection: frequencies, key sets, thresholds, order."""

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from repjax.report.figures.look import (
    BOTTOM,
    DIVERGING,
    INK,
    MUTED,
    PHASES,
    SERIES,
    TOP,
    WIDTH,
    add_key,
    new_figure,
    share_axis,
)
from repjax.report.selection import Laws, Selection
from repjax.report.selection_numbers import MOST_SETS
from repjax.statistics.intervals import share

MOST_IRREPS = 60
"""Most rows of a figure; of more irreps, the most frequent are drawn."""

MOST_LINES = 12
MOST_WRITTEN = 8
"""Up to so many irreps, the heat map of the order has its numbers in it."""


def frequencies(selection: Selection) -> Figure | None:
    """Plot the share of runs in which each irrep is key, orbit by orbit.

    Orbits of several irreps have a band behind them and their mean share as a line.
    """
    shown = _frequent(selection, selection.laws is not None)
    if selection.laws is None or not shown.size:
        return None
    orbits = selection.orbits[shown]
    first = {orbit: k for k, orbit in reversed([*enumerate(orbits.tolist())])}
    order = shown[np.argsort([first[orbit] for orbit in orbits], kind="stable")]
    figure, axes = _rows([selection.irreps[i] for i in order])
    for y, i in enumerate(order):
        found = selection.frequencies[i]
        color = SERIES[0]
        axes.plot([found.low, found.high], [y, y], color=color, lw=1.6)
        axes.plot(found.value or 0, y, "o", color=color, ms=4, clip_on=False)
    ranked = selection.orbits[order]
    for band, orbit in enumerate(dict.fromkeys(ranked.tolist())):
        places = np.flatnonzero(ranked == orbit)
        members = np.flatnonzero(selection.orbits == orbit)
        if len(members) < 2:
            continue
        low, high = places.min() - 0.45, places.max() + 0.45
        axes.axhspan(low, high, color=PHASES[band % 2], lw=0, zorder=0)
        mean = np.mean([selection.frequencies[i].value or 0.0 for i in members])
        axes.plot([mean, mean], [low, high], color=MUTED, lw=1, zorder=1)
    highest = max(selection.frequencies[i].high for i in order)
    _percent_axis(axes, highest)
    num_runs = selection.generalised.count
    axes.set_xlabel(f"% of runs (n = {num_runs:,}), 95 % interval")
    return figure


def key_sets(selection: Selection) -> Figure | None:
    """Plot the most frequent key sets: a row of dots, and a bar with its interval.

    The matrix of UpSet (Lex et al., IEEE TVCG 20, 2014), turned on its side.
    """
    if selection.laws is None:
        return None
    sets = selection.laws.sets
    rows: Bool[np.ndarray, "set irrep"] = sets.rows[:MOST_SETS].astype(bool)
    columns = np.flatnonzero(rows.any(axis=0))
    shares = [share(count, sets.num_runs) for count in sets.counts[:MOST_SETS].tolist()]
    rest = int(sets.counts[MOST_SETS:].sum())
    if rest:
        shares.append(share(rest, sets.num_runs))
    highest = max(found.high for found in shares[: len(rows)])
    height = 0.17 * len(shares)
    longest = max((len(selection.irreps[i]) for i in columns), default=0)
    above = TOP + 0.055 * longest
    figure = Figure(figsize=(WIDTH, above + height + BOTTOM))
    width = min(0.13 * max(len(columns), 1), 0.6 * WIDTH)
    total = figure.get_figheight()
    box = (BOTTOM / total, height / total)
    left = figure.add_axes((0.15 / WIDTH, box[0], width / WIDTH, box[1]))
    start = 0.15 + width + (0.5 if rest else 0.12)
    right = figure.add_axes((start / WIDTH, box[0], 1 - (start + 0.2) / WIDTH, box[1]))
    _dots(left, rows, columns, len(shares))
    left.set_xticks(
        range(len(columns)), [selection.irreps[i] for i in columns], rotation=90
    )
    for y, found in enumerate(shares):
        color = SERIES[0] if y < len(rows) else MUTED
        right.barh(y, found.value or 0, 0.7, color=color, alpha=0.4, lw=0)
        right.plot([found.low, found.high], [y, y], color=color, lw=1.4)
    if rest:  # far more runs than any set, where sets are many
        text = f"{100 * rest / sets.num_runs:.3g} %"
        place = 0.97 * min(1.0, 1.1 * highest)
        right.text(place, len(rows), text, ha="right", va="center_baseline", fontsize=7)
        more = f"{sets.num_sets - MOST_SETS:,} more"
        right.set_yticks([len(rows)], [more])
    else:
        right.set_yticks([])
    right.set_ylim(len(shares) - 0.5, -0.5)
    _percent_axis(right, highest)
    right.set_xlabel(f"% of runs (n = {sets.num_runs:,})")
    right.grid(False, axis="y")
    return figure


def _dots(
    axes: Axes, rows: Bool[np.ndarray, "set irrep"], columns: np.ndarray, height: int
) -> None:
    """Draw a dot for each irrep of each set, joined by a line."""
    for y, row in enumerate(rows[:, columns]):
        inside = np.flatnonzero(row)
        axes.plot(inside, np.full(inside.size, y), "o-", color=INK, ms=3.2, lw=0.9)
    axes.set_xlim(-0.7, len(columns) - 0.3)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.tick_top()
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(False, axis="y")


def thresholds(selection: Selection) -> Figure | None:
    """Plot key sets, key irreps and frequencies against the key threshold."""
    if selection.laws is None:
        return None
    found = selection.laws.thresholds
    at = np.array([one.threshold for one in found])
    figure, (above, middle, below) = new_figure(num_rows=3, row_height=0.95)
    above.plot(at, [one.num_sets for one in found], "o-", color=SERIES[0], ms=3)
    above.set_ylabel("key sets")
    above.set_ylim(0, None)
    middle.plot(at, [one.num_key.value for one in found], "o-", color=SERIES[0], ms=3)
    ends = [(one.num_key.low, one.num_key.high) for one in found]
    middle.vlines(at, *np.array(ends, float).T, color=SERIES[0], lw=0.9)
    middle.set_ylabel("key irreps")
    middle.set_ylim(0, None)
    shares = np.stack([one.shares for one in found])
    keys = []
    for k, i in enumerate(_frequent(selection)[:MOST_LINES].tolist()):
        color, dash = SERIES[k % len(SERIES)], ("-", "--")[k // len(SERIES)]
        below.plot(at, shares[:, i], color=color, ls=dash)
        keys.append(Line2D([], [], color=color, ls=dash, label=selection.irreps[i]))
    share_axis(below, "% of runs", 1.0)
    below.set_xscale("log")
    below.set_xticks(at, [f"{one:g}" for one in at])
    below.xaxis.set_minor_locator(NullLocator())
    below.set_xlabel("key threshold of the logit similarity")
    for axes in (above, middle):
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    add_key(figure, keys)
    return figure


def order(selection: Selection) -> Figure | None:
    """Plot in which share of runs the row's irrep was learned before the column's."""
    laws = selection.laws
    if laws is None or laws.order is None:
        return None
    kept = _in_order(laws)
    if len(kept) < 2:
        return None
    shares = laws.order.shares[np.ix_(kept, kept)]
    names = [selection.irreps[i] for i in kept]
    size = min(max(0.16 * len(kept), 1.0), WIDTH - 1.2)
    longest = max(map(len, names))
    left, above = min(0.3 + 0.055 * longest, 1.0), TOP + 0.055 * longest
    height = above + size + 0.5
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((left / WIDTH, 0.5 / height, size / WIDTH, size / height))
    image = axes.imshow(shares, vmin=0, vmax=1, cmap=DIVERGING, aspect="auto")
    if len(kept) <= MOST_WRITTEN:
        for (y, x), value in np.ndenumerate(shares):
            if np.isfinite(value):
                color = "#ffffff" if abs(value - 0.5) > 0.2 else "#1a1c21"
                axes.text(
                    x,
                    y,
                    f"{100 * value:.0f}",
                    ha="center",
                    va="center_baseline",
                    fontsize=6,
                    color=color,
                )
    size_of_names = 7 if len(kept) <= 20 else 4
    axes.set_xticks(range(len(kept)), names, rotation=90, fontsize=size_of_names)
    axes.set_yticks(range(len(kept)), names, fontsize=size_of_names)
    axes.xaxis.tick_top()
    axes.grid(False)
    scale = figure.add_axes((left / WIDTH, 0.3 / height, size / WIDTH, 0.08 / height))
    figure.colorbar(image, cax=scale, orientation="horizontal", ticks=[0, 0.5, 1])
    scale.set_xticklabels(["0", "50", "100 %"])
    scale.grid(False)
    return figure


def _in_order(laws: Laws) -> np.ndarray:
    """Return the irreps that are learned most often, the earlier ones first."""
    assert laws.order is not None
    learned = np.diagonal(laws.order.tied)
    kept = np.argsort(-learned, kind="stable")[:MOST_IRREPS]
    kept = kept[learned[kept] > 0]
    before = laws.order.before[np.ix_(kept, kept)]
    totals = np.maximum(before.sum(axis=1) + before.sum(axis=0), 1)
    first: Float[np.ndarray, " irrep"] = before.sum(axis=1) / totals
    return kept[np.argsort(-first, kind="stable")]


def _frequent(selection: Selection, all_of_orbits: bool = False) -> np.ndarray:
    """Return the most frequent irreps that some run learned, by their number.

    Args:
        selection: the law.
        all_of_orbits: whether irreps that no run learned come too if others of their
            orbit were learned.
    """
    counts = np.array([found.count for found in selection.frequencies])
    seen = counts > 0
    if all_of_orbits:
        seen = np.isin(selection.orbits, selection.orbits[seen])
    ranked = np.argsort(-counts, kind="stable")
    ranked = ranked[seen[ranked]][:MOST_IRREPS]
    return np.sort(ranked) if all_of_orbits else ranked


def _rows(names: list[str]) -> tuple[Figure, Axes]:
    """Create axes with a row per name, the first on top."""
    height = max((0.19 if len(names) <= 24 else 0.12) * len(names), 0.6)
    figure, (axes,) = new_figure(row_height=height, right=0.2)
    left = min(0.3 + 0.055 * max(map(len, names)), 1.6)
    figure.subplots_adjust(left=left / WIDTH)
    figure.set_figheight(height + TOP + BOTTOM)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.grid(False, axis="y")
    return figure, axes


def _percent_axis(axes: Axes, highest: float) -> None:
    axes.set_xlim(0, min(1.0, 1.1 * highest))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
