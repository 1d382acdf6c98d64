"""Sweeps: Kaplan–Meier against tables, pooled points, the page of many cells."""

from dataclasses import replace

import numpy as np
import pytest

from repjax.report.figures import sweeps as figures
from repjax.report.figures.look import look
from repjax.report.merging import merge
from repjax.report.settings import swept_settings
from repjax.report.sweeps import survival_of, sweeps, varied_keys
from repjax.statistics.phases import NO_PAST
from tests.made_up import make_cell
from tests.report.test_page import Page, write
from tests.told import make_curves, report_of, tell

DECAY, FRACTION = "optimizer.weight_decay", "train_fraction"

FREIREICH = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
"""Weeks of remission of 21 patients given 6-MP (Freireich et al., Blood 1963)."""


def watched(events, censored, extra=()):
    """A story whose runs generalise at these steps, or are watched in vain."""
    count = len(events) + len(censored)
    story = tell(make_curves(num_runs=count))
    courses = [
        replace(course, generalised=event)
        for course, event in zip(
            story.courses, [*events, *[None] * len(censored)], strict=True
        )
    ]
    results = story.results
    results.metrics["trained_steps"][:, -1] = [*events, *censored]
    return replace(story, courses=tuple(courses))


def test_median_is_that_of_kaplan_and_meier():
    """23 weeks, as every textbook finds; its interval from 13 on has no upper end."""
    found = survival_of([watched(FREIREICH, CENSORED)])
    assert (found.num_runs, found.num_events) == (21, 9)
    assert found.median == 23
    assert found.low == 13 and found.high is None


def test_runs_that_never_generalise_are_not_left_out():
    """The median of those that did would be 20; of all it is not reached."""
    assert survival_of([watched([10, 20, 30], [100] * 5)]).median is None
    assert survival_of([watched([10, 20, 30], [])]).median == 20
    assert survival_of([watched([], [5, 5])]).median is None


def test_runs_without_a_past_say_nothing():
    story = watched([10, 20], [])
    assert survival_of([replace(story, courses=(NO_PAST, NO_PAST))]) is None


def swept(values, generalise=lambda decay, fraction: 2, group="S4", keys=None):
    """A story for each pair of a decay and a fraction; so many of 4 runs generalise."""
    stories = []
    for decay, fraction in values:
        curves = make_curves(group, num_runs=4)
        cell = make_cell(group, seeds=curves.cell.seeds)
        cell = replace(
            cell,
            train_fraction=fraction,
            optimizer=replace(cell.optimizer, weight_decay=decay),
            swept=keys or (FRACTION, DECAY),
        )
        late = np.arange(4) >= generalise(decay, fraction)
        curves.metrics["test_accuracy"][late] = 0.5
        stories.append(tell(replace(curves, cell=cell)))
    return stories


GRID = [(decay, fraction) for decay in (0.25, 4.0, 16.0) for fraction in (0.3, 0.6)]


def test_two_keys_are_one_diagram_and_one_key_is_a_line():
    stories = swept(GRID, lambda decay, fraction: 4 if decay > 1 else 1)
    assert varied_keys(stories) == (FRACTION, DECAY)
    (sweep,) = sweeps(stories)
    assert sweep.keys == (FRACTION, DECAY) and not sweep.pooled
    counts = {point.values: point.generalised.count for point in sweep.points}
    assert counts[("0.3", "0.25")] == 1 and counts[("0.6", "16.0")] == 4
    assert [p.values[1] for p in sweep.points[:3]] == ["0.25", "4.0", "16.0"]
    (line,) = sweeps(
        [story for story in stories if story.results.cell.train_fraction == 0.3]
    )
    assert line.keys == (DECAY,)
    assert [point.survival.median is None for point in line.points] == [
        True,
        False,
        False,
    ]


def test_runs_that_differ_in_a_third_key_are_pooled():
    stories = swept(GRID)
    keys = (FRACTION, DECAY, "num_steps")
    more = []
    for story in stories:
        cell = replace(story.results.cell, num_steps=7, swept=keys)
        more.append(replace(story, results=replace(story.results, cell=cell)))
    found = sweeps([*stories, *more])
    assert [sweep.keys for sweep in found] == [
        (FRACTION, DECAY),
        (FRACTION, "num_steps"),
        (DECAY, "num_steps"),
    ]
    assert found[0].pooled == ("num_steps",)
    assert {point.generalised.total for point in found[0].points} == {8}


def test_figures_say_what_the_points_are():
    stories = swept(GRID, lambda decay, fraction: 4 if decay > 1 else 1)
    (sweep,) = sweeps(stories)
    with look():
        figure = figures.phase_diagram(sweep.points, ("fraction", "decay"))
        above, below = figure.axes
        texts = [text.get_text() for text in above.texts]
        assert sorted(texts) == ["1/4", "1/4", "4/4", "4/4", "4/4", "4/4"]
        assert sum(text.get_text() == "–" for text in below.texts) == 2
        (line,) = sweeps(stories[::2])
        figure = figures.over_one_key(figures.panels_of(line), "decay")
    above, below = figure.axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), [0.25, 1.0, 1.0])
    assert len(below.lines[0].get_ydata()) == 2
    assert [tick.get_text() for tick in below.get_xticklabels()] == [
        "0.25",
        "4.0",
        "16.0",
    ]


@pytest.fixture(scope="module")
def page_of_300(tmp_path_factory):
    values = [(2.0**-i, (j + 1) / 40) for i in range(10) for j in range(10)]
    stories = []
    for group in ("S4", "A5", "D12"):
        stories += swept(values, lambda decay, fraction: 3, group)
    stories = [replace(story, name=story.results.cell.name) for story in stories]
    path = write(report_of(*stories), tmp_path_factory.mktemp("page"))
    return path, Page(path.read_text(encoding="utf-8"))


def test_300_cells_stay_small_and_are_told_in_words(page_of_300):
    path, page = page_of_300
    assert path.stat().st_size < 10e6
    headings = [
        text
        for text, around in page.texts
        if {"h1", "h2", "h3", "h4", "a"} & {*around} and text.strip()
    ]
    assert not any("weight_decay=" in text for text in headings)
    assert any(
        text == "D12 MLP, train fraction 0.25, weight decay 0.5" for text in headings
    )


def test_the_page_opens_with_the_sweep_then_cells_and_folds_them(page_of_300):
    _, page = page_of_300
    sections = [a["id"] for a in page.all("section") if "id" in a]
    assert sections[:3] == ["sweep", "cells", "table3"]
    folded = [attributes for attributes in page.all("details") if "id" in attributes]
    assert len(folded) == 300 and not any("open" in each for each in folded)
    columns = [text for text, around in page.texts if "thead" in around]
    start = columns.index("Network")
    assert columns[start + 1 : start + 3] == ["train_fraction", "weight_decay"]


def cell_of(architecture, seeds=(1, 2), **values):
    """A story of C5 with some swept settings, by the last part of their keys."""
    keys = {
        "weight_decay": ("optimizer", "weight_decay"),
        "hidden_dim": ("mlp", "hidden_dim"),
        "num_evaluations": ("evaluation", "num_evaluations"),
        "num_steps": ("num_steps",),
    }
    results = make_curves(num_runs=len(seeds))
    cell = replace(results.cell, architecture=architecture, seeds=seeds)
    for name, value in values.items():
        section, *field = keys[name]
        inner = replace(getattr(cell, section), **{field[0]: value}) if field else value
        cell = replace(cell, **{section: inner})
    swept = tuple(".".join(keys[name]) for name in values)
    return replace(results, cell=replace(cell, swept=swept))


def test_a_setting_that_an_architecture_lacks_is_no_key_of_its_sweep():
    """Transformers have no mlp.hidden_dim: a figure of one key, an empty column."""
    cells = [
        cell_of("mlp", hidden_dim=size, weight_decay=decay)
        for size in (8, 16)
        for decay in (0.1, 1.0)
    ] + [cell_of("transformer", weight_decay=decay) for decay in (0.1, 1.0)]
    columns = swept_settings(cells)
    assert columns.keys == ("mlp.hidden_dim", "optimizer.weight_decay")
    assert columns.values[-1] == ("", "1.0")
    found = sweeps([tell(cell) for cell in cells])
    assert [one.keys for one in found] == [columns.keys, ("optimizer.weight_decay",)]
    assert {point.architecture for point in found[1].points} == {"transformer"}


def test_cells_swept_over_a_setting_of_the_host_stay_apart():
    """Steps × number of evaluations: twelve cells with the same seeds."""
    cells = [
        cell_of("mlp", num_steps=steps, num_evaluations=number)
        for steps in (50, 80, 120)
        for number in (4, 6, 8, 10)
    ]
    merged = merge(cells)
    assert len(merged) == 12
    assert not any(one.repeated for one in merged)
    keys = ("num_steps", "evaluation.num_evaluations")
    assert all(one.results.cell.swept == keys for one in merged)
