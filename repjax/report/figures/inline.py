"""Turn a matplotlib figure into a small <svg> for the page.

Colours become names of the style sheet, for dark mode; ids become unique in the page;
numbers lose invisible digits; heat maps get a palette. A series keeps its name and axes
their scale, from which the page reads the value under the pointer. The result has a
fifth of matplotlib's bytes.
"""

import base64
import re
from io import BytesIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from repjax.report.figures.look import COLOUR_NAMES, smallest_step

HEADING = "heading"
"""Id of the figure's heading, which is left out because the page has its own."""

FLAT = 0.2
"""Points closer than this (in 1/72 inch) to a simpler line are left out."""

PALETTE = 96
"""Number of colours of a heat map."""

_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(r"font: (?:(bold|\d+) )?([\d.]+)px [^;]*")
_IN_STYLE_SHEET = (
    "",
    "font-weight:",
    "font-size:7px",
    "font-family:'DejaVu Sans'",
    "fill:var(--ink)",
    "stroke-linecap:square",
    "stroke-linejoin:miter",
    "text-anchor:start",
)
_PNG = "data:image/png;base64,"


def inline_svg(svg: bytes, figure: Figure, name: str, label: str) -> str:
    """Return an <svg> element that needs nothing but the page's style sheet.

    Args:
        svg: matplotlib's output.
        figure: figure that was saved.
        name: name, unique in the page, from which ids are made.
        label: text for screen readers.
    """
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib = {
        "viewBox": f"0 0 {float(width):g} {float(height):g}",
        "role": "img",
        "aria-label": label,
        "style": f"max-width:{float(width) * 1.9:.0f}px",
    }
    prefix = re.sub(r"\W", "-", name)
    _remove(root, lambda e: e.tag in ("metadata", "style") or _is_not_for_page(e))
    _scales(root, figure)
    for element in root.iter():
        _series(element)
        _shorten(element)
    for axes in root.iter("g"):
        _join_grid(axes)
    _unique_ids(root, prefix)
    _unwrap(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text.strip())


def _is_not_for_page(element: Element) -> bool:
    return element.attrib.get("id") in ("patch_1", HEADING)


def _remove(element: Element, unwanted) -> None:
    for child in list(element):
        if unwanted(child):
            element.remove(child)
        else:
            _remove(child, unwanted)


def _scales(root: Element, figure: Figure) -> None:
    """Record the box and the scales of all axes over steps, as data attributes.

    data-x: positions of step 0 and of the first and last step on the log axis, then
    these two steps; data-y: kind of scale, and values at the bottom and at the top.
    """
    groups = {element.attrib.get("id"): element for element in root.iter("g")}
    height = 72 * figure.get_figheight()
    for k, axes in enumerate(figure.axes, 1):
        group = groups.get(f"axes_{k}")
        if group is None or axes.get_xscale() != "symlog":
            continue
        box = axes.get_position()
        first, last = smallest_step(axes), axes.get_xlim()[1]
        places = axes.transData.transform([(step, 1.0) for step in (0, first, last)])
        places = places[:, 0] * 72 / figure.dpi
        group.set("data-box", _numbers(height * (1 - box.y1), height * (1 - box.y0)))
        group.set("data-x", _numbers(*places, first, last))
        low, high = axes.get_ylim()
        group.set("data-y", f"{axes.get_yscale()} {low:.5g} {high:.5g}")
        group.set("data-label", axes.get_ylabel())


def _series(element: Element) -> None:
    """Name a line; the name shows as a tooltip even without a script."""
    kind, _, name = element.attrib.get("id", "").partition(":")
    if kind == "series":
        element.attrib = {"class": "series", "data-name": name}
        title = Element("title")
        title.text = name
        element.insert(0, title)


def _shorten(element: Element) -> None:
    attributes = element.attrib
    if "style" in attributes and element.tag != "svg":
        attributes["style"] = _shorten_style(attributes["style"])
    if not attributes.get("style", "-"):
        del attributes["style"]
    if "d" in attributes:
        attributes["d"] = _shorten_path(attributes["d"])
    if _XLINK in attributes:
        attributes["href"] = attributes.pop(_XLINK)
    if attributes.get("href", "").startswith(_PNG):
        attributes["href"] = _with_palette(attributes["href"])
    for key in ("x", "y", "width", "height"):
        if re.fullmatch(r"-?\d+\.\d+", attributes.get(key, "")):
            attributes[key] = _numbers(float(attributes[key]), places=2)
    if "transform" in attributes:
        turn = re.sub(r"rotate\(-?0 [^)]*\)", "", attributes.pop("transform"))
        turn = re.sub(r"-?\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", turn)
        if turn:
            attributes["transform"] = turn


def _shorten_style(style: str) -> str:
    """Name the colours, and drop what the style sheet sets for all figures."""
    style = _FONT.sub(r"font-weight: \1; font-size: \2px", style)
    for color, name in COLOUR_NAMES.items():
        style = style.replace(color, f"var(--{name})")
    parts = (re.sub(r": +", ":", part.strip()) for part in style.split(";"))
    return ";".join(part for part in parts if part not in _IN_STYLE_SHEET)


def _shorten_path(path: str) -> str:
    """Round to tenths, make lines relative, and drop points that lie on them."""
    commands = re.findall(r"[A-Za-z][^A-Za-z]*", path)
    closed = commands[-1].strip() in "zZ"
    lines = commands[: len(commands) - closed]
    if lines[0][0] != "M" or any(command[0] != "L" for command in lines[1:]):
        return "".join(
            command[0] + _numbers(*map(float, command[1:].split()))
            for command in commands
        )
    points = np.array([command[1:].split() for command in lines], float)
    tenths = np.rint(10 * points[_corners(points)])
    moves = np.vstack([tenths[:1], np.diff(tenths, axis=0)])
    moves = moves[np.append(True, moves[1:].any(axis=1))] / 10
    text = "".join(f"l{_numbers(*move)}" for move in moves)
    return f"M{text[1:]}{'z' if closed else ''}".replace(" -", "-")


def _corners(points: np.ndarray) -> list[int]:
    """Return indices of points whose line stays within `FLAT` of all others."""
    kept, open_ = {0, len(points) - 1}, [(0, len(points) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        run = points[last] - points[first]
        inside = points[first + 1 : last] - points[first]
        length = np.hypot(*run)
        if length > 0:
            off = np.abs(inside[:, 0] * run[1] - inside[:, 1] * run[0]) / length
        else:  # a closed outline
            off = np.hypot(*inside.T)
        if off.max() > FLAT:
            middle = first + 1 + int(np.argmax(off))
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return sorted(kept)


def _numbers(*values: float, places: int = 1) -> str:
    """Round numbers and join them with blanks, without trailing zeros."""
    texts = (f"{round(float(value), places):.{places}f}" for value in values)
    short = (text.rstrip("0").rstrip(".") if "." in text else text for text in texts)
    return " ".join("0" if text == "-0" else text for text in short)


def _with_palette(href: str) -> str:
    """Return a PNG with one byte per pixel instead of four."""
    image = Image.open(BytesIO(base64.b64decode(href.removeprefix(_PNG))))
    small = image.convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    file = BytesIO()
    small.save(file, "PNG", optimize=True)
    return _PNG + base64.b64encode(file.getvalue()).decode()


def _join_grid(group: Element) -> None:
    """Join all grid lines of one axes in one path; they lie below everything else."""
    if not group.attrib.get("id", "").startswith("axes_"):
        return
    lines = [
        (parent, child)
        for parent in group.iter()
        for child in parent
        if child.tag == "path" and "stroke:var(--grid)" in child.attrib.get("style", "")
    ]
    for parent, line in lines[1:]:
        lines[0][1].attrib["d"] += line.attrib["d"]
        parent.remove(line)


def _unique_ids(root: Element, prefix: str) -> None:
    """Prefix the ids that are referred to, and remove all others."""
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    for element in root.iter():
        if element.attrib.get("id") in used:
            element.set("id", f"{prefix}-{element.attrib['id']}")
        else:
            element.attrib.pop("id", None)
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))


def _unwrap(element: Element) -> None:
    """Replace groups without attributes by their contents."""
    for child in list(element):
        _unwrap(child)
    children: list[Element] = []
    for child in list(element):
        bare = child.tag in ("g", "defs") and not child.attrib
        children += list(child) if bare and child.tag == "g" else [child]
    children = [c for c in children if c.tag not in ("g", "defs") or len(c)]
    element[:] = children
