"""The numbers that a figure shows, read from the figure itself, as CSV.

A row has the panel of the figure, the series, and:

- for a point of a line, x and y;
- for a band or an interval, x, its lower end y and its upper end `to`;
- for a pixel of an image, its column x, its row y and its value;
- for a number that is written in the figure, its place and, as value, its text.

Where ticks name categories, x and y are their names.
"""

import csv
from collections.abc import Iterator
from io import StringIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

COLUMNS = ("panel", "series", "x", "y", "to", "value")

SCALE = "scale"
"""Label of axes that hold a colour scale and no data."""

MOST_NAMED = 8
"""Most series of a panel whose last values are part of the text for screen readers."""

Row = tuple[str, ...]


def to_csv(rows: list[Row], columns: tuple[str, ...] = COLUMNS) -> bytes:
    """Return rows as CSV, in UTF-8, with a line of column names."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode()


def rows_of(figure: Figure) -> list[Row]:
    """Return what a figure shows, a row of `COLUMNS` for each point, pixel or text."""
    return [
        (_name_of(axes), *row)
        for axes in figure.axes
        if axes.get_label() != SCALE
        for row in _rows(axes)
    ]


def last_values(figure: Figure) -> str:
    """Return the last value of each named line, for screen readers; "" without any."""
    panels = []
    for axes in figure.axes:
        lines = [
            line for line in axes.lines if str(line.get_gid()).startswith("series")
        ]
        if lines and len(lines) <= MOST_NAMED:
            values = ", ".join(
                f"{_series(line)} {np.asarray(line.get_ydata())[-1]:.3g}"
                for line in lines
                if len(np.asarray(line.get_ydata()))
            )
            panels.append(f"{axes.get_ylabel() or _name_of(axes)}: {values}")
    return f"At the end, {'; '.join(panels)}." if panels else ""


def _rows(axes: Axes) -> Iterator[Row]:
    """Yield the rows of one panel, without its name."""
    for line in axes.lines:
        for x, y in zip(*map(np.asarray, line.get_data()), strict=True):
            yield _series(line), *_at(axes, float(x), float(y)), "", ""
    for collection in axes.collections:
        for x, low, high in _ends(collection):
            yield _series(collection), *_at(axes, x, low), _short(high), ""
    for image in axes.images:
        for (row, column), value in np.ndenumerate(np.asarray(image.get_array())):
            yield "", str(column), str(row), "", _short(float(value))
    for text in axes.texts:
        if text.get_transform() == axes.transData:
            x, y = text.get_position()
            yield "", *_at(axes, float(x), float(y)), "", text.get_text()


def _ends(collection: Collection) -> Iterator[tuple[float, float, float]]:
    """Yield x, lower and upper end of intervals, or of what `fill_between` filled."""
    if isinstance(collection, LineCollection):
        for (x, low), (_, high) in collection.get_segments():
            yield float(x), float(low), float(high)
    elif isinstance(collection, PolyCollection):
        for path in collection.get_paths():
            # The first upper end, all lower ends, the last upper end, all upper ends
            # backwards, and the first point again.
            outline = np.asarray(path.vertices)
            count = (len(outline) - 3) // 2
            lower = outline[1 : count + 1]
            upper = outline[count + 2 : 2 * count + 2][::-1]
            for (x, low), (_, high) in zip(lower, upper, strict=True):
                yield float(x), float(low), float(high)


def _name_of(axes: Axes) -> str:
    title = axes.get_title(loc="left") or axes.get_title()
    return (title or axes.get_ylabel() or axes.get_xlabel()).replace("\n", ", ")


def _series(artist: Artist) -> str:
    """Return the name of a line or band: that of its gid, else its label."""
    kind, _, name = str(artist.get_gid() or "").partition(":")
    label = str(artist.get_label())
    return name if kind == "series" else "" if label.startswith("_") else label


def _at(axes: Axes, x: float, y: float) -> tuple[str, str]:
    return _place(axes.xaxis, x), _place(axes.yaxis, y)


def _place(axis: Axis, value: float) -> str:
    """Return a coordinate, or the name of the category that it belongs to."""
    ticks, formatter = np.asarray(axis.get_ticklocs()), axis.get_major_formatter()
    are_named = isinstance(axis.get_major_locator(), FixedLocator) and isinstance(
        formatter, FuncFormatter
    )
    near = round(value) if np.isfinite(value) else -1
    are_categories = are_named and np.array_equal(ticks, np.arange(len(ticks)))
    belongs = 0 <= near < len(ticks) and abs(value - near) < 0.5
    return formatter(near) if are_categories and belongs else _short(value)


def _short(value: float) -> str:
    return f"{value:.6g}"
