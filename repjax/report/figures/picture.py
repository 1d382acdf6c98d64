"""Save a figure for the page, and as SVG, PDF and CSV: the same bytes every time."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure

from repjax.report.figures.data import last_values, rows_of, to_csv
from repjax.report.figures.inline import HEADING, inline_svg
from repjax.report.figures.look import LEFT, look
from repjax.storage.files import write_atomically

_LONG = re.compile(rb"(?<=[ \"(LMC])-?\d+\.\d{3,}(?=[ \")])")


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: its path within figures/, without suffix.
        title: what it shows, in a few words.
        caption: how to read it.
        svg: a small <svg> element for the page, with ids unique in it.
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
    data: bytes | None = None,
) -> Picture | None:
    """Draw one figure, if there is anything to draw; write it and its data.

    Args:
        plot: makes the figure.
        directory: folder of all figures.
        name: path of the files within it, without suffix.
        title: what it shows.
        caption: how to read it.
        heading: cell and run ("S5 MLP, seed 2"), written above the figure in its files,
            which may be seen out of context.
        data: its numbers as CSV, by default what can be read from the figure.
    """
    with look():
        figure = plot()
        if figure is None:
            return None
        place = LEFT / figure.get_figwidth() / 2, 1 - 0.13 / figure.get_figheight()
        figure.text(*place, heading, fontsize=7, va="center", gid=HEADING)
        files = {ending: _render(figure, ending) for ending in ("svg", "pdf")}
        files["csv"] = to_csv(rows_of(figure)) if data is None else data
        alternative = f"{heading}: {title}. {last_values(figure)}".rstrip()
        inline = inline_svg(files["svg"], figure, name, alternative)
    for ending, content in files.items():
        write_atomically(directory / f"{name}.{ending}", partial(_put, content))
    return Picture(name, title, caption, inline)


def _put(data: bytes, file: IO[bytes]) -> None:
    file.write(data)


def _render(figure: Figure, ending: str) -> bytes:
    """Return the bytes of a figure, without a time stamp."""
    date = {"svg": "Date", "pdf": "CreationDate"}[ending]
    file = BytesIO()
    figure.savefig(file, format=ending, metadata={date: None})
    if ending == "pdf":
        return file.getvalue()
    # Hundredths of a point save a third of the bytes and make no visible difference.
    return _LONG.sub(lambda number: b"%.2f" % float(number[0]), file.getvalue())
