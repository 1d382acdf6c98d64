"""Draw the figures of a report: of the sweep, of cells and of single runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from repjax.report.figures import anatomy, rivals, seeds, training
from repjax.report.figures import sweeps as sweep_figures
from repjax.report.figures.data import to_csv
from repjax.report.figures.periodic import periodic_table, squares_table
from repjax.report.figures.picture import Picture, draw
from repjax.report.figures.selection_plan import generalisation_plan, selection_plan
from repjax.report.learning import shown_irreps
from repjax.report.settings import swept_settings
from repjax.report.story import Report, Story
from repjax.report.sweeps import sweeps
from repjax.settings.architectures import ARCHITECTURES

MAX_PANELS = 64
"""Most runs with figures of their own in a whole report, to keep the page small."""

MAX_PANELS_EACH = 8
"""Runs of one cell with figures of their own by default; tables include all runs."""

FEW_CELLS = 8
"""Above this number of cells, single runs have no figures unless asked for."""

MANY_CELLS = 40
"""Above this number of cells, single cells have no figures either."""

Plan = Iterator[tuple[str, str, str, Callable[[], Figure | None]]]


@dataclass(frozen=True)
class Gallery:
    """Every figure of a report, written and ready for the page.

    Attributes:
        sweep: figures over the sweep as a whole.
        periodic_table: None without any irrep.
        cells: name of a story → figures over its runs.
        selections: name of a story → figures of its law of selection.
        runs: name of a story → index of a run → figures of that run.
    """

    sweep: tuple[Picture, ...]
    periodic_table: Picture | None
    cells: dict[str, tuple[Picture, ...]]
    selections: dict[str, tuple[Picture, ...]]
    runs: dict[str, dict[int, tuple[Picture, ...]]]


def write_figures(
    report: Report,
    directory: Path,
    num_panels: int | None = None,
    of_cells: str | None = None,
) -> Gallery:
    """Write `directory`/figures as SVG and PDF, and their numbers as CSV.

    Args:
        report: data to draw.
        directory: parent of the folder.
        num_panels: runs of each cell with figures of their own; by default
            `MAX_PANELS_EACH`, or none in a report of more than `FEW_CELLS`.
        of_cells: pattern for the names of cells that get figures; by default all, or
            none in a report of more than `MANY_CELLS`.
    """
    folder = Path(directory) / "figures"
    shown = with_figures(report.stories, of_cells)
    if num_panels is None:
        num_panels = MAX_PANELS_EACH if len(shown) <= FEW_CELLS else 0
    room = max(1, MAX_PANELS // max(1, len(shown)))
    num_panels = min(num_panels, room)
    table = draw(
        lambda: periodic_table(report.squares),
        folder,
        "periodic_table",
        "Periodic table of the irreps",
        "",
        "",
        to_csv(*squares_table(report.squares)),
    )
    cells: dict[str, tuple[Picture, ...]] = {}
    selections: dict[str, tuple[Picture, ...]] = {}
    runs: dict[str, dict[int, tuple[Picture, ...]]] = {}
    for story in report.stories:
        heading = heading_of(story)
        if story.name not in shown:
            cells[story.name], selections[story.name] = (), ()
            runs[story.name] = {}
            continue
        cells[story.name] = _draw_all(_cell_plan(story), folder, story.name, heading)
        selections[story.name] = _draw_all(
            selection_plan(story), folder, f"{story.name}/selection", heading
        )
        runs[story.name] = {
            run: _draw_all(
                _run_plan(story, run),
                folder,
                f"{story.name}/seed_{seed}",
                f"{heading}, seed {seed}",
            )
            for run in runs_with_panel(story, num_panels)
            for seed in [story.results.cell.seeds[run]]
        }
    swept = _draw_all(_sweep_plan(report.stories), folder, "sweep", "Sweep")
    drawn = [story for story in report.stories if story.name in shown]
    swept += _draw_all(generalisation_plan(drawn), folder, "sweep", "Sweep")
    return Gallery(swept, table, cells, selections, runs)


def with_figures(stories: Sequence[Story], of_cells: str | None = None) -> set[str]:
    """Return the names of the cells that get figures."""
    names = {story.name for story in stories}
    if of_cells is not None:
        return {name for name in names if fnmatchcase(name, of_cells)}
    return names if len(names) <= MANY_CELLS else set()


def heading_of(story: Story) -> str:
    """Return group and network, as a heading: S5 MLP."""
    return f"{story.results.group_name} {network_of(story)}"


def network_of(story: Story) -> str:
    """Return architecture, swept settings, and whether the cell was imported."""
    results = story.results
    swept = swept_settings([results])
    names = (key.rpartition(".")[2].replace("_", " ") for key in swept.keys)
    values = (
        f"{name} {value}" for name, value in zip(names, swept.values[0], strict=True)
    )
    network = ARCHITECTURES[results.cell.architecture].title
    text = ", ".join([network, *values])
    return f"{text} (imported)" if story.imported else text


def runs_with_panel(story: Story, num_panels: int) -> list[int]:
    """Return up to `num_panels` runs, preferably those that were taken apart."""
    order = dict.fromkeys([*sorted(story.anatomies), *range(story.results.num_runs)])
    return sorted(list(order)[:num_panels])


def _draw_all(plan: Plan, folder: Path, name: str, heading: str) -> tuple[Picture, ...]:
    pictures = (
        draw(plot, folder, f"{name}/{figure}", title, caption, heading)
        for figure, title, caption, plot in plan
    )
    return tuple(picture for picture in pictures if picture)


def _sweep_plan(stories: Sequence[Story]) -> Plan:
    """Yield name, title, caption and plot of the figures over a whole sweep."""
    for sweep in sweeps(stories):
        panels = sweep_figures.panels_of(sweep)
        names = [key.rpartition(".")[2] for key in sweep.keys]
        rest = (
            f" Runs are pooled over {' and '.join(sweep.pooled)}."
            if sweep.pooled
            else ""
        )
        if len(names) == 1:
            for first in range(0, len(panels), sweep_figures.MOST_LINES):
                some = list(panels.items())[first : first + sweep_figures.MOST_LINES]
                yield (
                    f"{names[0]}_{first // sweep_figures.MOST_LINES + 1}",
                    f"Generalisation against {names[0]}",
                    f"{_HOW_OFTEN} {_WHEN}",
                    partial(sweep_figures.over_one_key, dict(some), names[0]),
                )
            continue
        for panel, points in panels.items():
            yield (
                f"{names[0]}_{names[1]}/{panel.replace(' ', '_')}",
                f"{panel}: generalisation over {names[0]} and {names[1]}",
                f"{_COUNTED} {_WHEN_PHASE}{rest}",
                partial(sweep_figures.phase_diagram, points, names),
            )


_HOW_OFTEN = (
    "Above: share of the runs whose test accuracy ends at 0.99 or more, with its 95 % "
    "Clopper–Pearson interval."
)
_WHEN = (
    "Below: step by which half of the runs had generalised, with its 95 % interval; "
    "runs that never did count as censored at their end (Kaplan–Meier), and there is "
    "no point where the curve stays above one half."
)
_COUNTED = (
    "Above: runs whose test accuracy ends at 0.99 or more, out of all; the deeper the "
    "colour, the larger the share."
)
_WHEN_PHASE = (
    "Below: step by which half of the runs had generalised, the deeper the earlier; "
    "runs that never did count as censored at their end (Kaplan–Meier), and a dash "
    "means that less than half did."
)


def _cell_plan(story: Story) -> Plan:
    """Yield name, title, caption and plot of the figures over all runs."""
    yield (
        "explained_shares",
        "Which explanation?",
        "Shares of the logits that class functions, functions of the product and "
        "bi-equivariant functions explain, and of the live neurons that are pure or "
        "constant on cosets: a dot for each run, the median, the middle 50 %; in grey "
        "the medians of the nulls.",
        partial(rivals.explained_shares, story),
    )
    yield (
        "explained_over_training",
        "When explanations begin to hold",
        "Median over runs and the middle 50 % of the shares of the logits, with test "
        "accuracy; of neurons only where snapshots of the weights were kept.",
        partial(rivals.explained_over_training, story),
    )
    # Section "Selection" has them by orbit.
    if story.selection is None or story.selection.laws is None:
        yield (
            "irrep_frequency",
            "How often each irrep is learned",
            "Share of the runs that generalised in which the irrep is key, with its "
            f"95 % Clopper–Pearson interval. At most {seeds.MAX_IRREPS} irreps, the "
            "most frequent ones.",
            partial(seeds.irrep_frequency, story),
        )
    yield (
        "number_of_key_irreps",
        "Number of key irreps",
        "Share of the runs that generalised, with its 95 % Clopper–Pearson interval.",
        partial(seeds.number_of_key_irreps, story),
    )
    yield (
        "learning_steps",
        "When each irrep is learned",
        "First evaluated step with a logit similarity above 0.05. A dot is a run; with "
        "many runs, the thick line spans the middle 50 %, the thin one 90 %. The "
        "vertical mark is the median.",
        partial(seeds.learning_steps, story),
    )
    yield (
        "learning_places",
        "Order of learning",
        "Number of runs that learned the irrep first, second, and so on.",
        partial(seeds.learning_places, story),
    )
    yield (
        "losses_over_runs",
        "Losses of all runs",
        "Includes runs that did not generalise.",
        partial(seeds.losses_over_runs, story),
    )
    yield (
        "similarity_over_runs",
        "Logit similarity over runs",
        "Each irrep over the runs that generalised and in which it is key, for the "
        "irreps that most runs learned.",
        partial(seeds.similarity_over_runs, story),
    )


def _run_plan(story: Story, run: int) -> Plan:
    """Yield name, title, caption and plot of the figures of one run."""
    results, course = story.results, story.courses[run]
    shown_alone = zip(results.irreps, shown_irreps(results, run), strict=True)
    others = [name for name, is_shown in shown_alone if not is_shown]
    irreps = "Irreps are in order of learning; " + (
        "the grey band holds all others."
        if len(others) > 1
        else f"the grey line is {', '.join(others)}."
    )
    shown = "Train" if results.cell.whole_table else "Train and test"
    yield (
        "losses",
        "Losses and phases",
        f"{shown} loss; restricted loss, with ρ(ab) of the key irreps alone; "
        "excluded loss, without it.",
        partial(training.losses, results, run, course),
    )
    yield (
        "logit_similarity",
        "Logit similarity",
        f"Cosine between the logits and the character χ_ρ(ab·c⁻¹). {irreps}",
        partial(training.logit_similarity, results, run),
    )
    yield (
        "weight_norm",
        "Weight norm",
        "Sum of the squares of all weights.",
        partial(training.weight_norm, results, run, course),
    )
    yield (
        "embeddings",
        "Embeddings and unembedding",
        f"Share of the variance that each irrep explains. {irreps}",
        partial(training.embeddings, results, run),
    )
    yield (
        "hidden_layer",
        "Hidden layer",
        "Share of the variance of the activations that functions of a, of b and of ab "
        f"in each irrep explain. {irreps}",
        partial(training.hidden_layer, results, run),
    )
    yield (
        "irrep_losses",
        "Restricted and excluded loss of each irrep",
        f"Loss with ρ(ab) of one irrep alone, and with all but it. {irreps}",
        partial(training.irrep_losses, results, run),
    )
    if run in story.anatomies:
        yield from _anatomy_plan(story, run)


def _anatomy_plan(story: Story, run: int) -> Plan:
    parts = story.anatomies[run]
    yield (
        "neurons",
        "Neurons of each cluster",
        "Activation for every pair (a, b), bright where high. Elements are sorted by "
        "the character of the cluster's irrep, the largest first; at most "
        f"{anatomy.MAX_ELEMENTS} of them are drawn.",
        partial(anatomy.neuron_maps, story, parts),
    )
    yield (
        "logit_maps",
        "From ρ(ab) to logits",
        "The map from the entries of ρ(ab) in the hidden layer to those of ρ(c⁻¹) in "
        "the logits, orange positive, blue negative. That of tr ρ(ab)ρ(c⁻¹) is a "
        "permutation; the distance is from it, relative to its norm.",
        partial(anatomy.logit_maps, story, parts),
    )
    yield (
        "unembedding",
        "Unembedding in representation basis",
        "W_U: a row is a neuron, by cluster; a column is a function of the Fourier "
        "basis, by key irrep. Orange positive, blue negative; of many neurons or "
        "columns, every k-th.",
        partial(anatomy.unembedding, story, parts),
    )
