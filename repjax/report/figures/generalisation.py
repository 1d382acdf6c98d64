"""Curves of generalisation: one figure for each group, a line for each setting."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from repjax.report.figures.look import (
    DASHES,
    SERIES,
    add_key,
    new_figure,
    share_axis,
    step_axis,
)
from repjax.report.settings import swept_settings
from repjax.report.story import Story
from repjax.report.sweeps import in_order
from repjax.settings.architectures import ARCHITECTURES
from repjax.statistics.survival import Curve

MOST_LINES = 12
"""Lines in one figure."""


def lines_of_groups(
    stories: Sequence[Story],
) -> Iterator[tuple[str, int, Mapping[str, Curve], bool]]:
    """Yield the lines of each figure, a curve for each setting.

    Yields:
        Group and network, the number of the figure among theirs, from 1; name of a
        setting → its curve, up to `MOST_LINES`; whether every pair trains.
    """
    swept = swept_settings([story.results for story in stories])
    keys = [key.rpartition(".")[2].replace("_", " ") for key in swept.keys]

    def network(member: tuple[Story, tuple[str, ...]]) -> tuple[str, str]:
        results = member[0].results
        return results.group_name, ARCHITECTURES[results.cell.architecture].title

    known = [
        (story, values)
        for story, values in zip(stories, swept.values, strict=True)
        if story.selection is not None and story.selection.curve is not None
    ]
    known.sort(key=lambda one: (network(one), [in_order(x) for x in one[1]]))
    for title, members in groupby(known, network):
        same = list(members)
        varied = [k for k in range(len(keys)) if len({v[k] for _, v in same}) > 1]
        for first in range(0, len(same), MOST_LINES):
            curves = {
                ", ".join(f"{keys[k]} {values[k]}" for k in varied)
                or story.name: story.selection.curve
                for story, values in same[first : first + MOST_LINES]
                if story.selection is not None and story.selection.curve is not None
            }
            whole = all(story.results.cell.whole_table for story, _ in same)
            yield " ".join(title), 1 + first // MOST_LINES, curves, whole


def generalisation(curves: Mapping[str, Curve], whole: bool = False) -> Figure | None:
    """Plot the share of runs that has generalised, against steps, with its band.

    Args:
        curves: name of a setting → its curve; without a legend if it is the only one.
        whole: whether every pair trains, so that train accuracy decides.
    """
    if not curves:
        return None
    figure, (axes,) = new_figure()
    keys, every = [], [np.zeros(1)]
    for k, (name, curve) in enumerate(curves.items()):
        color, dash = SERIES[k % len(SERIES)], DASHES[k // len(SERIES) % len(DASHES)]
        steps = np.append(0, curve.steps)
        low, high = (np.append(0, np.nan_to_num(x)) for x in (curve.low, curve.high))
        unknown = np.append(True, ~np.isfinite(curve.low))
        axes.fill_between(
            steps,
            low,
            high,
            where=~unknown,
            step="post",
            color=color,
            alpha=0.2,
            linewidth=0,
        )
        axes.step(
            steps,
            np.append(0, curve.shares),
            where="post",
            color=color,
            ls=dash,
            gid=f"series:{name}",
        )
        keys.append(Line2D([], [], color=color, ls=dash, label=name))
        every.append(curve.steps)
    share_axis(axes, "% learned the table" if whole else "% generalised", 1.0)
    step_axis(axes, np.concatenate(every))
    if len(keys) > 1:
        add_key(figure, keys)
    return figure
