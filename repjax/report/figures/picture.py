"""A figure as files: SVG and PDF, the same bytes every time; and for the page."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure

from repjax.report.figures.inline import HEADING, inline_svg
from repjax.report.figures.look import LEFT, look
from repjax.storage.files import write_atomically

_LONG = re.compile(rb"(?<=[ \"(LMC])-?\d+\.\d{3,}(?=[ \")])")


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn.

    Attributes:
        name: its path within figures/, without ending.
        title: what it shows, in a few words.
        caption: how to read it.
        svg: an <svg> element for the page, small and without ids of others.
    """

    name: str
    title: str
    caption: str
    svg: str


def draw(
    plot: Callable[[], Figure | None],
    directory: Path,
    name: str,
    title: str,
    caption: str,
    heading: str,
) -> Picture | None:
    """Draws and writes one figure, if there is anything to draw.

    Args:
        plot: makes the figure.
        directory: of all figures.
        name: path of the files within it, without ending.
        title: what it shows.
        caption: how to read it.
        heading: whose it is ("S5 MLP, seed 2"); stands above the figure in its files,
            which may be torn from all context.
    """
    with look():
        figure = plot()
        if figure is None:
            return None
        place = LEFT / figure.get_figwidth() / 2, 1 - 0.13 / figure.get_figheight()
        figure.text(*place, heading, fontsize=7, va="center", gid=HEADING)
        files = {ending: _render(figure, ending) for ending in ("svg", "pdf")}
        inline = inline_svg(files["svg"], figure, name, f"{heading}: {title}")
    for ending, data in files.items():
        write_atomically(directory / f"{name}.{ending}", partial(_put, data))
    return Picture(name, title, caption, inline)


def _put(data: bytes, file: IO[bytes]) -> None:
    file.write(data)


def _render(figure: Figure, ending: str) -> bytes:
    """Bytes without the time of day."""
    date = {"svg": "Date", "pdf": "CreationDate"}[ending]
    file = BytesIO()
    figure.savefig(file, format=ending, metadata={date: None})
    if ending == "pdf":
        return file.getvalue()
    # Hundredths of a point: a third of the bytes less, and nothing to be seen.
    return _LONG.sub(lambda number: b"%.2f" % float(number[0]), file.getvalue())
