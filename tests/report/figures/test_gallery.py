"""Every figure is drawn for every kind of cell, and twice with the same bytes."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from repjax.engine.progress import Progress
from repjax.report.__main__ import build_report
from repjax.report.figures import gallery
from repjax.report.figures.gallery import write_figures
from repjax.report.figures.look import look
from repjax.report.figures.periodic import periodic_table
from tests.tiny import tiny_cell, train_cell
from tests.told import make_anatomy, make_curves, report_of, tell, without_past

OVER_RUNS = {
    "irrep_frequency",
    "number_of_key_irreps",
    "learning_steps",
    "learning_places",
    "losses_over_runs",
    "similarity_over_runs",
    "explained_over_training",
}
TRAINING = {
    "losses",
    "logit_similarity",
    "weight_norm",
    "embeddings",
    "hidden_layer",
    "irrep_losses",
}
NETWORK = {"neurons", "logit_maps", "unembedding"}


def drawn(plan):
    """Name → figure, rendered to pixels, which shows what saving would."""
    figures = {}
    with look():
        for name, title, caption, plot in plan:
            assert title
            assert caption.endswith(".")
            figure = plot()
            if figure is not None:
                figure.canvas.draw()
                figures[name] = figure
    return figures


def names(story):
    over_runs = set(drawn(gallery._cell_plan(story)))
    return over_runs, set(drawn(gallery._run_plan(story, 0)))


def test_all_figures_of_a_cell_that_generalised():
    assert names(tell(make_curves(), num_networks=1)) == (OVER_RUNS, TRAINING | NETWORK)


def test_one_run_has_no_figures_that_compare_runs():
    over_runs, _ = names(tell(make_curves(num_runs=1)))
    assert over_runs == OVER_RUNS - {"losses_over_runs", "similarity_over_runs"}


def test_without_a_run_that_generalised_there_are_no_statistics():
    results = make_curves()
    results.metrics["test_accuracy"][:] = 0.2
    assert names(tell(results)) == (
        {"losses_over_runs", "explained_over_training"},
        TRAINING,
    )


def test_imported_networks_have_no_curves_and_no_order():
    story = tell(without_past(make_curves()), num_networks=1)
    assert names(story) == ({"irrep_frequency", "number_of_key_irreps"}, NETWORK)


def test_one_evaluation_is_no_curve():
    over_runs, of_run = names(tell(make_curves(num_evaluations=1)))
    assert of_run == set()
    assert over_runs == {"irrep_frequency", "number_of_key_irreps"}


def test_no_irrep_learned_and_all_losses_zero():
    results = make_curves(num_key=0)
    for name in ("train_loss", "test_loss", "restricted_loss", "excluded_loss"):
        results.metrics[name][:] = 0
    assert names(tell(results, num_networks=1))[1] == TRAINING


def test_metrics_that_an_old_trajectory_lacks_are_left_out():
    results = make_curves()
    kept = {k: v for k, v in results.metrics.items() if k != "irrep_excluded_loss"}
    figures = drawn(gallery._run_plan(tell(replace(results, metrics=kept)), 0))
    assert len(figures["irrep_losses"].axes) == 1


def test_explanations_have_figures_where_they_were_computed():
    """Shares over runs with rivals; along training wherever shares were measured."""
    results = make_curves()
    rivals = {"pure_a": np.array([0.5, 1.0]), "initial_pure_a": np.array([0.1, 0.2])}
    figures = drawn(gallery._cell_plan(replace(tell(results), rivals=rivals)))
    axes = figures["explained_shares"].axes[0]
    names_of_rows = [label.get_text() for label in axes.get_yticklabels()]
    assert names_of_rows[-1] == "pure in a"
    old = {k: v for k, v in results.metrics.items() if not k.startswith("fve_class")}
    figures = drawn(gallery._cell_plan(tell(replace(results, metrics=old))))
    assert "explained_over_training" not in figures


def test_transformers_have_one_embedding():
    results = make_curves()
    cell = replace(results.cell, architecture="transformer")
    figures = drawn(gallery._run_plan(tell(replace(results, cell=cell)), 0))
    labels = [axes.get_ylabel() for axes in figures["embeddings"].axes]
    assert labels == ["W_E, %", "W_U, %"]


def test_gaps_in_merged_runs_are_bridged():
    """Runs measured at other steps have NaN at these."""
    results = make_curves()
    for values in results.metrics.values():
        values[0, 1:-1:2] = np.nan
    figures = drawn(gallery._run_plan(tell(results), 0))
    measured = np.isfinite(results.metrics["test_loss"][0]).sum()
    for line in figures["losses"].axes[0].lines:
        assert np.isfinite(line.get_ydata()).all()
        assert len(line.get_ydata()) == measured


def test_of_many_irreps_only_what_was_learned_has_a_line():
    story = tell(make_curves("C113", num_irreps=57, num_key=5), num_networks=1)
    figures = drawn(gallery._run_plan(story, 0))
    (axes,) = figures["logit_similarity"].axes
    learned = [f"freq_{k}" for k in range(1, 6)]
    assert [line.get_label() for line in axes.lines] == learned
    texts = [text.get_text() for text in figures["logit_similarity"].legends[0].texts]
    assert texts == [*learned, "other irreps"]


def test_a_band_of_other_irreps_is_told_only_where_there_is_one():
    ends = {57: "the grey band holds all others.", 3: "the grey line is trivial."}
    for num_irreps, end in ends.items():
        story = tell(make_curves("C113", num_irreps=num_irreps, num_key=2))
        captions = {name: text for name, _, text, _ in gallery._run_plan(story, 0)}
        assert captions["logit_similarity"].endswith(f"in order of learning; {end}")


def test_many_runs_are_a_band_and_not_many_lines():
    story = tell(make_curves("C113", num_runs=1000, num_irreps=57, num_key=5))
    figures = drawn(gallery._cell_plan(story))
    assert set(figures) == OVER_RUNS
    for figure in figures.values():
        assert sum(len(axes.lines) for axes in figure.axes) <= 4 * 24
    assert len(figures["irrep_frequency"].axes[0].get_yticks()) == 24


def test_periodic_table_has_every_irrep_of_every_group():
    small = tell(make_curves("S4"))
    large = tell(make_curves("C113", num_irreps=57), order=113)
    figure = periodic_table(report_of(large, small).squares)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum(text.startswith("freq_") for text in texts) == 4 + 56
    headings = [text for text in texts if "elements" in text]
    assert [heading.split()[0] for heading in headings] == ["S4", "C113"]
    assert periodic_table(()) is None


def test_runs_taken_apart_come_first_and_a_large_report_has_few_panels():
    story = tell(make_curves(num_runs=20))
    story = replace(story, anatomies={17: make_anatomy(story.results, 17)})
    assert gallery.runs_with_panel(story, 8) == [*range(7), 17]
    assert gallery.runs_with_panel(story, 2) == [0, 17]
    assert gallery.runs_with_panel(story, 0) == []


@pytest.mark.parametrize(
    ("count", "pattern", "shown"),
    [(40, None, 40), (41, None, 0), (41, "cell_1?", 10), (3, "cell_2", 1)],
)
def test_of_many_cells_those_that_are_asked_for_have_figures(count, pattern, shown):
    story = tell(make_curves())
    stories = [replace(story, name=f"cell_{i}") for i in range(count)]
    assert len(gallery.with_figures(stories, pattern)) == shown


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A real report, of one network."""
    workdir = tmp_path_factory.mktemp("trained")
    cell = tiny_cell(num_seeds=1)
    train_cell(cell, workdir, Progress())
    return build_report([workdir / cell.name], 1, {})


def test_the_same_report_gives_the_same_bytes(trained, tmp_path):
    first = write_figures(trained, tmp_path / "first")
    with mpl.rc_context({"font.size": 30, "axes.labelweight": "bold"}):
        second = write_figures(trained, tmp_path / "second")
    assert first == second
    files = sorted(path for path in tmp_path.rglob("first/**/*") if path.is_file())
    assert {file.suffix for file in files} == {".svg", ".pdf", ".csv"}
    named = {file.stem for file in files}
    assert named >= {"periodic_table", *TRAINING}
    for file in files:
        other = tmp_path / "second" / file.relative_to(tmp_path / "first")
        assert file.read_bytes() == other.read_bytes(), file.name
        assert file.stat().st_size > (50 if file.suffix == ".csv" else 500)


def test_files_say_whose_figure_they_are(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "_cell_plan", lambda story: iter(()))
    write_figures(trained, tmp_path)
    text = (tmp_path / "figures/S3_mlp/seed_1/losses.svg").read_text()
    assert "S3 MLP, seed 1" in text
    assert str(tmp_path) not in text
