"""Curves of generalisation: one figure for each group, a line for each setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from repjax.storage.results import CellResults

MOST_LINES = 12
"""Lines in one figure."""


@dataclass(frozen=True)
class Lines:
    """Lines of one figure.

    Attributes:
        title: group and network.
        number: number of the figure among those of the title, from 1.
        by: settings that differ between the lines; empty for a single line.
        curves: values of these settings → curve; at most `MOST_LINES`.
        whole: whether every pair trains, so that train accuracy decides.
    """

    title: str
    number: int
    by: str
    curves: Mapping[str, Curve]
    whole: bool


def lines_of_groups(stories: Sequence[Story]) -> Iterator[Lines]:
    """Yield the lines of each figure, by group, network and value of the settings."""
    swept = swept_settings([story.results for story in stories])
    keys = [key.rpartition(".")[2].replace("_", " ") for key in swept.keys]

    def network(member: tuple[CellResults, Curve, tuple[str, ...]]) -> tuple[str, str]:
        cell = member[0].cell
        return member[0].group_name, ARCHITECTURES[cell.architecture].title

    known = [
        (story.results, story.selection.curve, values)
        for story, values in zip(stories, swept.values, strict=True)
        if story.selection is not None and story.selection.curve is not None
    ]
    known.sort(key=lambda one: (network(one), [in_order(x) for x in one[2]]))
    for title, members in groupby(known, network):
        same = list(members)
        varied = [k for k in range(len(keys)) if len({v[k] for *_, v in same}) > 1]
        whole = all(results.cell.whole_table for results, *_ in same)
        for first in range(0, len(same), MOST_LINES):
            curves = {
                ", ".join(values[k] for k in varied): curve
                for _, curve, values in same[first : first + MOST_LINES]
            }
            yield Lines(
                " ".join(title),
                1 + first // MOST_LINES,
                ", ".join(keys[k] for k in varied),
                curves,
                whole,
            )


def generalisation(lines: Lines) -> Figure:
    """Plot the share of runs that has generalised, against steps, with its band."""
    figure, (axes,) = new_figure()
    keys, every = [], [np.zeros(1)]
    for k, (name, curve) in enumerate(lines.curves.items()):
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
    share_axis(axes, "% learned the table" if lines.whole else "% generalised", 1.0)
    step_axis(axes, np.concatenate(every))
    if len(keys) > 1:
        add_key(figure, keys)
    return figure
