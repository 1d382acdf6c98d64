import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest

from repjax.report.figures.inline import inline_svg
from repjax.report.figures.look import COLOUR_NAMES, look
from repjax.report.figures.training import logit_similarity, losses
from tests.told import make_curves, tell


def drawn(plot, name="S4_mlp/seed_1/losses", label="a label"):
    with look():
        figure = plot()
        file = BytesIO()
        figure.savefig(file, format="svg")
        return file.getvalue(), inline_svg(file.getvalue(), figure, name, label)


@pytest.fixture(scope="module")
def story():
    return tell(make_curves(num_evaluations=80))


@pytest.fixture(scope="module")
def svg(story):
    return drawn(lambda: losses(story.results, 0, story.courses[0]))[1]


def test_it_is_smaller_by_far_and_still_an_image(story):
    large, small = drawn(lambda: logit_similarity(story.results, 0))
    assert len(small) < len(large) / 3
    root = ElementTree.fromstring(small)
    assert root.tag == "svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "a label"


def test_every_colour_has_a_name(svg):
    assert re.findall("#[0-9a-f]{6}", svg) == []
    named = set(re.findall(r"var\(--([\w-]+)\)", svg))
    assert {"series-0", "series-1", "grid", "muted", "phase-0"} <= named
    assert named <= set(COLOUR_NAMES.values())


def test_ids_are_of_this_figure_only(svg):
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("S4_mlp-seed_1-losses-") for one in ids)
    used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
    assert {one or other for one, other in used} == set(ids)


def test_text_of_any_kind_stays_text(story):
    label = '<script>alert(1)</script>" onload="alert(1)'
    _, svg = drawn(lambda: logit_similarity(story.results, 0), label=label)
    assert "<script" not in svg
    assert ElementTree.fromstring(svg).attrib["aria-label"] == label


def test_values_can_be_read_off_the_curve(story):
    """As the page does it: from the path and from the scales of its axes."""
    root = ElementTree.fromstring(drawn(lambda: logit_similarity(story.results, 0))[1])
    (axes,) = [g for g in root.iter("g") if "data-x" in g.attrib]
    zero, start, end, first, last = map(float, axes.attrib["data-x"].split())
    top, bottom = map(float, axes.attrib["data-box"].split())
    kind, low, high = axes.attrib["data-y"].split()
    assert kind == "linear"
    assert zero < start < end
    series = {
        g.attrib["data-name"]: g for g in root.iter("g") if "data-name" in g.attrib
    }
    assert set(series) == {"freq_1", "freq_2"}
    path = series["freq_1"].find("path").attrib["d"]
    moves = np.array(re.findall(r"-?[\d.]+", path), float).reshape(-1, 2)
    x, y = np.cumsum(moves, axis=0).T
    steps = story.results.steps
    at = start + (end - start) * np.log(np.maximum(steps, first) / first) / np.log(
        last / first
    )
    at[steps == 0] = zero
    share = (bottom - np.interp(at, x, y)) / (bottom - top)
    values = float(low) + share * (float(high) - float(low))
    truth = story.results.metrics["logit_similarity"][0, :, 1]
    np.testing.assert_allclose(values, truth, atol=0.005 * truth.max())
