"""Figures over many runs: how universal is what they learn?

Chughtai et al. 2023, section 6. A few runs are drawn one by one, many as their median
and the ranges of the middle 50 % and 90 %.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from repjax.report.figures.look import (
    BOTTOM,
    GRID,
    INK,
    MUTED,
    NAMED,
    SERIES,
    TOP,
    WIDTH,
    LineStyle,
    add_key,
    irrep_styles,
    loss_axis,
    new_figure,
    share_axis,
    step_axis,
)
from repjax.report.story import Story
from repjax.statistics.intervals import Share
from repjax.statistics.universality import IrrepCount

MAX_LINES = 8
"""Most runs that are drawn one by one."""

MAX_IRREPS = 24
"""Most irreps with a row; beyond it, only those that most runs learned."""

MAX_PLACES = 10


def losses_over_runs(story: Story) -> Figure | None:
    """Plot train loss, and test loss if there are test pairs, of all runs."""
    results = story.results
    if story.imported or results.num_runs < 2:
        return None
    figure, (axes,) = new_figure()
    keys: list[Line2D | Patch] = []
    series = {name: results.metrics[name] for name in ("train_loss", "test_loss")}
    if results.cell.whole_table:
        del series["test_loss"]
    for name, values in series.items():
        label = name.removesuffix("_loss")
        _many(axes, results.steps, values, NAMED[name], label, wide=True)
        keys.append(Line2D([], [], color=NAMED[name].color, label=label))
    loss_axis(axes, "loss, nats", list(series.values()))
    step_axis(axes, results.steps)
    add_key(figure, [*keys, *_explanation(results.num_runs, wide=True)])
    return figure


def similarity_over_runs(story: Story) -> Figure | None:
    """Plot each irrep's logit similarity, over generalised runs where it is key."""
    results = story.results
    if story.imported or results.num_runs < 2:
        return None
    styles = irrep_styles(results)
    members = results.is_key & results.generalised[:, None]
    ranked = np.argsort(-members.sum(axis=0), kind="stable")
    order = [i for i in ranked if members[:, i].any()]
    if not order:
        return None
    shown = order[: len(SERIES)]  # bands of more would hide each other
    figure, (axes,) = new_figure()
    highest = 0.0
    for i in shown:
        values = results.metrics["logit_similarity"][members[:, i], :, i]
        name = results.irreps[i]
        # The middle 90 % of six irreps would hide each other.
        _many(axes, results.steps, values, styles[name], name, wide=False)
        highest = max(highest, float(np.nanmax(values)))
    share_axis(axes, "logit similarity", highest, percent=False)
    step_axis(axes, results.steps)
    keys = [
        Line2D([], [], color=styles[name].color, label=name)
        for name in (results.irreps[i] for i in shown)
    ]
    if len(order) > len(shown):
        rest = f"{len(order) - len(shown)} more"
        keys.append(Line2D([], [], color="none", label=rest))
    add_key(figure, [*keys, *_explanation(int(members.sum(axis=0).max()), wide=False)])
    return figure


def learning_steps(story: Story) -> Figure | None:
    """Plot the step at which each irrep was learned, in the runs where it is key."""
    results = story.results
    rows = _rows(story)
    if story.imported or not rows:
        return None
    styles = irrep_styles(results)
    figure, axes = _row_figure(rows)
    has_past = np.array([course.has_past for course in story.courses])
    runs = results.generalised & has_past
    for y, row in enumerate(rows):
        i = results.irreps.index(row.name)
        steps = results.learned_step[runs & results.is_key[:, i], i]
        steps = steps[np.isfinite(steps)]
        if not steps.size:
            continue
        color = styles[row.name].color
        if steps.size <= 4 * MAX_LINES:
            places = np.full(steps.size, y)
            (dots,) = axes.plot(steps, places, "o", color=color, ms=4, alpha=0.6)
            dots.set_label("runs")
        else:
            low, quarter, three, high = np.percentile(steps, (5, 25, 75, 95))
            axes.plot([low, high], [y, y], color=color, lw=1.2, label="middle 90 %")
            axes.plot([quarter, three], [y, y], color=color, lw=4, label="middle 50 %")
        axes.plot(np.median(steps), y, "|", color=INK, ms=9, mew=1.6, label="median")
    step_axis(axes, results.steps)
    axes.set_xlabel("step at which it was learned")
    return figure


def learning_places(story: Story) -> Figure | None:
    """Plot how often each irrep was learned first, second and so on."""
    rows = [row for row in _rows(story) if any(share.count for share in row.places)]
    if not rows:
        return None
    shares = np.array([[place.value or 0.0 for place in row.places] for row in rows])
    counts = np.array([[place.count for place in row.places] for row in rows])
    shares, counts = shares[:, :MAX_PLACES], counts[:, :MAX_PLACES]
    figure, axes = _row_figure(rows)
    # One colour of varying opacity, not a colour map: it works in dark mode too.
    for (y, x), value in np.ndenumerate(shares):
        if not counts[y, x]:
            continue
        color = {"facecolor": SERIES[0], "alpha": 0.08 + 0.57 * value}
        axes.add_patch(Rectangle((x + 0.53, y - 0.47), 0.94, 0.94, lw=0, **color))
        text = f"{counts[y, x]}"
        axes.text(x + 1, y, text, ha="center", va="center_baseline", fontsize=7)
    axes.set_xlim(0.5, shares.shape[1] + 0.5)
    axes.set_xticks(range(1, shares.shape[1] + 1))
    axes.set_xlabel("place in the order of learning (runs)")
    axes.grid(False)
    return figure


def irrep_frequency(story: Story) -> Figure | None:
    """Plot the share of runs in which each irrep is key, with its interval."""
    rows = _rows(story)
    if not rows:
        return None
    styles = irrep_styles(story.results)
    figure, axes = _row_figure(rows)
    for y, row in enumerate(rows):
        color = styles[row.name].color
        _interval(axes, row.learned, y, color, horizontal=True)
    highest = max(row.learned.high for row in rows)
    axes.set_xlim(0, min(1.0, 1.1 * highest))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")
    axes.set_xlabel(f"% of runs (n = {rows[0].learned.total}), 95 % interval")
    return figure


def number_of_key_irreps(story: Story) -> Figure | None:
    """Plot the number of key irreps of a run, with intervals."""
    num_key = story.universality.num_key
    if not num_key:
        return None
    figure, (axes,) = new_figure(right=0.15)
    for number, share in num_key.items():
        axes.bar(number, share.value or 0, 0.7, color=SERIES[0], alpha=0.35, lw=0)
        _interval(axes, share, number, SERIES[0], horizontal=False)
    first, last = min(num_key) - 1, max(num_key) + 1
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xticks(range(max(first, 0), last + 1, 1 + (last - first) // 12))
    axes.grid(False, axis="x")
    share_axis(axes, "% of runs", 1.0)
    num_runs = story.universality.generalised.count
    axes.set_xlabel(f"number of key irreps (n = {num_runs}), 95 % interval")
    return figure


def _rows(story: Story) -> list[IrrepCount]:
    """Return learned irreps in the group's order; of many, the most frequent."""
    learned = [irrep for irrep in story.universality.irreps if irrep.learned.count]
    if len(learned) > MAX_IRREPS:
        learned = sorted(learned, key=lambda irrep: -irrep.learned.count)[:MAX_IRREPS]
    return learned


def _row_figure(rows: Sequence[IrrepCount]) -> tuple[Figure, Axes]:
    """Create axes with a row per irrep, the first on top, its name at the left."""
    height = max(0.19 * len(rows), 0.6)
    figure, (axes,) = new_figure(row_height=height, right=0.2)
    longest = max(len(row.name) for row in rows)
    figure.subplots_adjust(left=min(0.3 + 0.055 * longest, 1.6) / WIDTH)
    figure.set_figheight(height + TOP + BOTTOM)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.grid(False, axis="y")
    return figure, axes


def _interval(
    axes: Axes, share: Share, place: int, color: str, *, horizontal: bool
) -> None:
    at, ends, side = share.value or 0, [share.low, share.high], [place, place]
    x, y = (ends, side) if horizontal else (side, ends)
    axes.plot(x, y, color=color, lw=1.6, label="95 % interval")
    x, y = ([at], [place]) if horizontal else ([place], [at])
    (dot,) = axes.plot(x, y, "o", color=color, ms=4.5, clip_on=False)
    dot.set_label("share of runs")


def _many(
    axes: Axes,
    steps: np.ndarray,
    values: Float[np.ndarray, "run evaluation"],
    style: LineStyle,
    name: str,
    *,
    wide: bool,
) -> None:
    """Draw all runs if they are few; else their median, middle 50 % and maybe 90 %."""
    measured = np.isfinite(values).any(axis=0)
    steps, values = steps[measured], values[:, measured]
    if len(values) <= MAX_LINES:
        for number, run in enumerate(values, 1):
            here = np.isfinite(run)
            (line,) = axes.plot(steps[here], run[here], color=style.color)
            line.set(lw=0.8, alpha=0.7, label=f"{name}, run {number} of {len(values)}")
        return
    low, quarter, middle, three, high = np.nanpercentile(
        values, (5, 25, 50, 75, 95), axis=0
    )
    color = style.color
    if wide:
        band = axes.fill_between(steps, low, high, alpha=0.15, color=color, linewidth=0)
        band.set_label(f"{name}, middle 90 %")
    half = axes.fill_between(
        steps, quarter, three, alpha=0.25, color=color, linewidth=0
    )
    half.set_label(f"{name}, middle 50 %")
    axes.plot(steps, middle, color=style.color, gid=f"series:{name}, median")


def _explanation(num_runs: int, *, wide: bool) -> list[Line2D | Patch]:
    if num_runs <= MAX_LINES:
        return [Line2D([], [], color=MUTED, lw=0.9, label="one run each")]
    median = Line2D([], [], color=MUTED, label="median")
    half = Patch(color=MUTED, alpha=0.45, lw=0, label="middle 50 %")
    return [median, half, *[Patch(color=GRID, lw=0, label="middle 90 %")][: int(wide)]]
