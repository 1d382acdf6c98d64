"""The CSV of a figure holds the numbers that were drawn."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from repjax.report.figures import anatomy, seeds, training
from repjax.report.figures.data import COLUMNS, last_values, rows_of, to_csv
from repjax.report.figures.look import look
from repjax.report.figures.periodic import squares_table
from tests.told import make_anatomy, make_curves, report_of, tell


def read(data):
    return [*csv.DictReader(io.StringIO(data.decode()))]


def table(plot, *arguments):
    """The rows of a figure, after a round trip through CSV."""
    with look():
        return read(to_csv(rows_of(plot(*arguments))))


def column(rows, name, **where):
    return [
        float(row[name])
        for row in rows
        if all(row[key] == value for key, value in where.items())
    ]


def test_lines_are_the_metrics_themselves():
    results = make_curves()
    rows = table(training.losses, results, 1, tell(results).courses[1])
    assert {row["series"] for row in rows} == {
        "train", "test", "restricted", "excluded"
    }  # fmt: skip
    assert column(rows, "x", series="test") == results.steps.tolist()
    drawn = column(rows, "y", series="test")
    np.testing.assert_allclose(drawn, results.metrics["test_loss"][1], rtol=1e-5)


def test_bands_have_both_ends():
    results = make_curves(num_runs=50, noise=0.1)
    rows = table(seeds.losses_over_runs, tell(results))
    values = results.metrics["train_loss"]
    for share, quantiles in (("50", (25, 75)), ("90", (5, 95))):
        name = f"train, middle {share} %"
        for end, quantile in zip(("y", "to"), quantiles, strict=True):
            expected = np.percentile(values, quantile, axis=0)
            np.testing.assert_allclose(column(rows, end, series=name), expected, 1e-5)


def test_categories_have_their_names():
    story = tell(make_curves(num_runs=12))
    rows = table(seeds.irrep_frequency, story)
    shares = [row for row in rows if row["series"] == "share of runs"]
    learned = {irrep.name: irrep.learned for irrep in story.universality.irreps}
    assert len(shares) == sum(share.count > 0 for share in learned.values())
    for row in shares:
        assert float(row["x"]) == pytest.approx(learned[row["y"]].value)
    ends = [row for row in rows if row["series"] == "95 % interval"]
    assert {row["y"] for row in ends} == {row["y"] for row in shares}


def test_numbers_written_in_a_figure_are_in_its_data():
    story = tell(make_curves(num_runs=12))
    rows = table(seeds.learning_places, story)
    places = {irrep.name: irrep.places for irrep in story.universality.irreps}
    assert rows
    for row in rows:
        assert int(row["value"]) == places[row["y"]][int(row["x"]) - 1].count


def test_images_have_a_row_for_each_pixel():
    story = tell(make_curves())
    parts = make_anatomy(story.results)
    single = {i: x.astype(np.float32) for i, x in parts.logit_maps.items()}
    parts = replace(parts, logit_maps=single)
    story = replace(story, anatomies={0: parts})
    rows = table(anatomy.logit_maps, story, parts)
    assert len(rows) == 16 * len(parts.logit_maps)  # and no colour scale
    first = np.reshape([float(row["value"]) for row in rows[:16]], (4, 4))
    expected = next(iter(parts.logit_maps.values()))
    np.testing.assert_allclose(first, expected, rtol=1e-5)


def test_the_periodic_table_has_a_row_for_each_square():
    report = report_of(tell(make_curves(num_runs=3)))
    rows = read(to_csv(*squares_table(report.squares)))
    assert [row["irrep"] for row in rows] == [s.irrep for s in report.squares]
    keys = [int(row["runs in which it is key"]) for row in rows]
    assert keys == [square.learned.count for square in report.squares]


def test_screen_readers_get_the_last_values():
    results = make_curves()
    with look():
        figure = training.losses(results, 0, tell(results).courses[0])
        text = last_values(figure)
        assert text.startswith("At the end, loss, nats: train 4e-06, test 4e-05, ")
        assert last_values(seeds.number_of_key_irreps(tell(results))) == ""


def test_columns_are_those_of_the_documentation():
    assert to_csv([]).decode() == ",".join(COLUMNS) + "\n"
