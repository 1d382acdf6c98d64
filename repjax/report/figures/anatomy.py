"""One network taken apart: neurons, unembedding, and the map from ρ(ab) to logits.

Chughtai et al. 2023, section 5. To keep heat maps small, only every k-th of many sorted
elements or neurons is drawn.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repjax.report.figures.data import SCALE
from repjax.report.figures.look import DIVERGING, INK, SEQUENTIAL, TOP, WIDTH
from repjax.report.story import Anatomy, Story

MAX_ELEMENTS = 60
MAX_NEURONS = 120
MAX_COLUMNS = 120
MAX_PANELS = 8
NEURONS_EACH = 2
PANELS_PER_ROW = 4

ROOM_FOR_SCALE = 0.5
"""Inches below the panels for the colour scale and the axis label."""


def neuron_maps(story: Story, anatomy: Anatomy) -> Figure | None:
    """Plot the activations of the strongest neurons of each cluster, over a and b.

    Elements are sorted by the character of the cluster's irrep, the largest first, so
    that a sign neuron shows as blocks.
    """
    panels = [
        (irrep, neuron, activation)
        for irrep, maps in anatomy.activations.items()
        for neuron, activation in list(zip(maps.neurons, maps.maps, strict=True))[
            :NEURONS_EACH
        ]
    ]
    if not panels:
        return None
    # Irreps of dimension 1 show their structure best, and sign neurons above all.
    dims = story.results.irrep_dims
    panels = sorted(panels, key=lambda panel: dims[panel[0]])[:MAX_PANELS]
    figure, grid = _panels(len(panels))
    for axes, (irrep, neuron, activation) in zip(grid, panels, strict=True):
        order = np.argsort(-anatomy.characters[irrep].round(6), kind="stable")
        order = thin(order, MAX_ELEMENTS)
        _image(axes, activation[np.ix_(order, order)], SEQUENTIAL)
        axes.set_title(f"{story.results.irreps[irrep]}\nneuron {neuron}", fontsize=7)
    _name_sides(grid, "a", "b")
    _scale(figure, SEQUENTIAL, "lowest", "highest activation")
    return figure


def logit_maps(story: Story, anatomy: Anatomy) -> Figure | None:
    """Plot the map from the entries of ρ(ab) to those of ρ(c⁻¹), for each key irrep.

    Values are from −1 to 1; the map of tr ρ(ab)ρ(c⁻¹) is a permutation.
    """
    irreps = list(anatomy.logit_maps)[:MAX_PANELS]
    if not irreps:
        return None
    figure, grid = _panels(len(irreps))
    for axes, irrep in zip(grid, irreps, strict=True):
        _image(axes, anatomy.logit_maps[irrep], DIVERGING, limit=1.0)
        distance = anatomy.logit_map_distances[irrep]
        name = story.results.irreps[irrep]
        axes.set_title(f"{name}\ndistance {distance:.3f}", fontsize=7)
    _name_sides(grid, "ρ(ab)", "ρ(c⁻¹)")
    _scale(figure, DIVERGING, "−1", "1")
    return figure


def unembedding(story: Story, anatomy: Anatomy) -> Figure | None:
    """Plot W_U in representation basis: neurons by cluster, columns by irrep."""
    key = np.flatnonzero(story.results.is_key[_run_of(story, anatomy)])
    if not key.size:
        return None
    neurons, clusters = _by_cluster(anatomy, key)
    columns = [np.flatnonzero(anatomy.irrep_of_column == i) for i in key]
    room = max(1, MAX_COLUMNS // len(columns))
    columns = [thin(column, room) for column in columns]
    values = anatomy.unembedding[np.ix_(neurons, np.concatenate(columns))]
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    figure.subplots_adjust(
        left=0.9 / WIDTH, right=1 - 0.15 / WIDTH, top=1 - TOP / 3.4, bottom=1.05 / 3.4
    )
    limit = float(np.quantile(np.abs(values), 0.995)) or 1.0
    _image(axes, values, DIVERGING, limit, aspect="auto")
    names = np.array([*story.results.irreps, "none"])
    _mark(axes.xaxis, [len(column) for column in columns], names[key], axes.axvline)
    kinds, sizes = np.unique(clusters, return_counts=True)
    _mark(axes.yaxis, sizes, names[kinds], axes.axhline)
    axes.tick_params(axis="x", labelrotation=45 if len(key) > 3 else 0)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right" if len(key) > 3 else "center")
        label.set_rotation_mode("anchor")
    axes.set_ylabel("neurons, by cluster")
    axes.set_xlabel("columns of the Fourier matrix, by irrep")
    _scale(figure, DIVERGING, f"−{limit:.2g}", f"{limit:.2g}")
    return figure


def thin(order: np.ndarray, limit: int) -> np.ndarray:
    """Return at most `limit` of the entries, evenly spaced, in the same order."""
    if len(order) <= limit:
        return order
    return order[np.linspace(0, len(order) - 1, limit).round().astype(int)]


def _run_of(story: Story, anatomy: Anatomy) -> int:
    return next(run for run, other in story.anatomies.items() if other is anatomy)


def _by_cluster(
    anatomy: Anatomy, key: Int[np.ndarray, " key"]
) -> tuple[Int[np.ndarray, " neuron"], Int[np.ndarray, " neuron"]]:
    """Sort neurons by the key irrep that each receives most of; those off come last."""
    cluster = key[np.argmax(anatomy.received[key], axis=0)]
    cluster = np.where(anatomy.is_off, len(anatomy.received), cluster)
    neurons = thin(np.argsort(cluster, kind="stable"), MAX_NEURONS)
    return neurons, cluster[neurons]


def _panels(number: int) -> tuple[Figure, Sequence[Axes]]:
    """Create square axes, four in a row."""
    columns = min(max(number, 2), PANELS_PER_ROW)
    rows = -(-number // columns)
    left, right, gap, title = 0.3, 0.1, 0.1, 0.32
    side = (WIDTH - left - right - (columns - 1) * gap) / columns
    side = min(side, 1.4)
    height = TOP + ROOM_FOR_SCALE + rows * (side + title)
    figure = Figure(figsize=(WIDTH, height))
    grid = []
    for panel in range(number):
        row, column = divmod(panel, columns)
        x = left + column * (side + gap)
        y = height - TOP - (row + 1) * (side + title)
        box = (x / WIDTH, y / height, side / WIDTH, side / height)
        grid.append(figure.add_axes(box))
    return figure, grid


def _name_sides(grid: Sequence[Axes], rows: str, columns: str) -> None:
    """Label the axes of the lowest panel at the left, on behalf of all panels."""
    corner = grid[(len(grid) - 1) // PANELS_PER_ROW * PANELS_PER_ROW]
    corner.set_ylabel(rows)
    corner.set_xlabel(columns)


def _scale(figure: Figure, colors, low: str, high: str) -> None:
    """Draw the colour scale, from low to high, at the bottom right."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (1 - 1.75 / width, 0.14 / height, 0.55 / width, 0.09 / height)
    )
    axes.set_label(SCALE)
    _image(axes, np.linspace(-1, 1, 48)[None], colors, aspect="auto")
    for x, text, side in ((-0.06, low, "right"), (1.06, high, "left")):
        axes.text(
            x, 0.5, text, transform=axes.transAxes, ha=side, va="center", fontsize=6.5
        )


def _image(
    axes: Axes,
    values: Float[np.ndarray, "row column"],
    colors,
    limit: float | None = None,
    aspect: Literal["equal", "auto"] = "equal",
) -> None:
    """Draw an image without resampling (`none`); viewers scale it without blur."""
    low = None if limit is None else -limit
    axes.imshow(
        values,
        cmap=colors,
        vmin=low,
        vmax=limit,
        interpolation="none",
        aspect=aspect,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mark(axis, sizes, names, draw_line) -> None:
    """Write names in the middle of blocks, and draw lines between blocks."""
    ends = np.cumsum(sizes)
    axis.set_ticks(ends - np.array(sizes) / 2 - 0.5, names)
    for end in ends[:-1]:
        draw_line(end - 0.5, color=INK, lw=0.6)
