from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from repjax.report.figures.look import (
    DARK,
    GRID,
    INK,
    MUTED,
    PAPER,
    PHASES,
    SERIES,
    irrep_styles,
    plain,
    step_axis,
)
from tests.told import make_curves

# Machado, Oliveira and Fernandes (IEEE TVCG 15, 2009), severity 1, in linear RGB.
SEEN_BY = {
    "everyone": np.eye(3),
    "protanopes": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopes": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopes": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
LIGHT = {colour: colour for colour in DARK}


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2: from 1 to 21."""
    dim, bright = sorted(linear(c) @ TO_XYZ[1] for c in (one, other))
    return (bright + 0.05) / (dim + 0.05)


def lab(rgb):
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("screen", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out(screen):
    backgrounds = [screen[PAPER], *(screen[colour] for colour in PHASES)]
    for background in backgrounds:
        assert contrast(screen[INK], background) > 7
        assert contrast(screen[MUTED], background) > 4.5
        assert min(contrast(screen[c], background) for c in SERIES) > 2.5
    assert min(contrast(screen[c], screen[PAPER]) for c in SERIES) > 3
    assert contrast(screen[GRID], screen[PAPER]) > 1.2


@pytest.mark.parametrize("screen", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("reader", SEEN_BY)
def test_colours_differ_for_every_reader(screen, reader):
    """A difference of 2 can be noticed; these are told apart in thin lines."""
    seen = [lab(SEEN_BY[reader] @ linear(screen[colour])) for colour in SERIES]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 10


def test_an_irrep_has_one_style_and_the_frequent_ones_have_plain_lines():
    results = make_curves(num_runs=2, num_irreps=57, num_key=2)  # 1, 2 and 2, 3
    styles = irrep_styles(results)
    assert "trivial" not in styles
    assert len(styles) == 56
    assert len({(s.color, s.linestyle) for s in styles.values()}) == 56
    assert [*styles][:3] == ["freq_2", "freq_1", "freq_3"]
    assert {styles[name].linestyle for name in ("freq_1", "freq_2", "freq_3")} == {"-"}


@pytest.mark.parametrize("steps", [[0, 1, 5, 12_000], [0, 300, 400], [7, 90], [0], [5]])
def test_step_axis_has_room_for_every_step(steps):
    axes = Figure().subplots()
    steps = np.array(steps)
    axes.plot(steps, steps)
    step_axis(axes, steps)
    places = axes.transAxes.inverted().transform(
        axes.transData.transform([(step, 1) for step in steps])
    )[:, 0]
    assert (places >= -1e-9).all()
    assert (places <= 1 + 1e-9).all()
    assert (np.diff(places) > 0.01).all()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert len(set(labels)) == len(labels) <= 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (71.5, "71.5"),
        (1e3, "1k"),
        (2.5e5, "250k"),
        (1e6, "1M"),
        (0.01, "0.01"),
        (1e-7, "1e-7"),
        (2.5e-4, "2.5e-4"),
    ],
)
def test_numbers_are_short(value, text):
    assert plain(value) == text
