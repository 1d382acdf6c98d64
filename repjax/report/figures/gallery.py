"""Which figures a report has: of each cell, and of the runs that get a panel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from repjax.architectures import ARCHITECTURES
from repjax.report.figures import anatomy, seeds, training
from repjax.report.figures.periodic import periodic_table
from repjax.report.figures.picture import Picture, draw
from repjax.report.story import Report, Story

MAX_PANELS = 64
"""Runs with figures of their own in a whole report, which keeps the page small."""

MAX_PANELS_EACH = 8
"""Runs of one cell that get them unless asked; tables and statistics have all."""

Plan = Iterator[tuple[str, str, str, Callable[[], Figure | None]]]


@dataclass(frozen=True)
class Gallery:
    """Every figure of a report, written and ready for the page.

    Attributes:
        periodic_table: None without any irrep.
        cells: name of a story → figures over its runs.
        runs: name of a story → index of a run → figures of that run.
    """

    periodic_table: Picture | None
    cells: dict[str, tuple[Picture, ...]]
    runs: dict[str, dict[int, tuple[Picture, ...]]]


def write_figures(
    report: Report, directory: Path, num_panels: int = MAX_PANELS_EACH
) -> Gallery:
    """Writes `directory`/figures as SVG and PDF, of `num_panels` runs of each cell."""
    folder = Path(directory) / "figures"
    table = draw(
        lambda: periodic_table(report.squares),
        folder,
        "periodic_table",
        "Periodic table of the irreps",
        "",
        "",
    )
    cells, runs = {}, {}
    for story in report.stories:
        heading = heading_of(story)
        cells[story.name] = _draw_all(_cell_plan(story), folder, story.name, heading)
        runs[story.name] = {
            run: _draw_all(
                _run_plan(story, run),
                folder,
                f"{story.name}/seed_{seed}",
                f"{heading}, seed {seed}",
            )
            for run in runs_with_panel(report, story, num_panels)
            for seed in [story.results.cell.seeds[run]]
        }
    return Gallery(table, cells, runs)


def heading_of(story: Story) -> str:
    """Group, and what tells its cells apart: S5 MLP."""
    return f"{story.results.group_name} {network_of(story)}"


def network_of(story: Story) -> str:
    """Architecture, what was swept, and whether it was trained elsewhere."""
    results = story.results
    parts = [ARCHITECTURES[results.cell.architecture].title, results.settings]
    if story.imported:
        parts.append("(imported)")
    return " ".join(part for part in parts if part)


def runs_with_panel(
    report: Report, story: Story, num_panels: int = MAX_PANELS_EACH
) -> list[int]:
    """Runs that were taken apart first, then the others, as far as there is room."""
    room = min(num_panels, max(1, MAX_PANELS // len(report.stories)))
    order = dict.fromkeys([*sorted(story.anatomies), *range(story.results.num_runs)])
    return sorted(list(order)[:room])


def _draw_all(plan: Plan, folder: Path, name: str, heading: str) -> tuple[Picture, ...]:
    pictures = (
        draw(plot, folder, f"{name}/{figure}", title, caption, heading)
        for figure, title, caption, plot in plan
    )
    return tuple(picture for picture in pictures if picture)


def _cell_plan(story: Story) -> Plan:
    """Name, title, caption and plot of the figures over all runs."""
    yield (
        "irrep_frequency",
        "How often each irrep is learned",
        "Share of the runs that generalised in which the irrep is key, with its 95 % "
        f"Clopper–Pearson interval. At most {seeds.MAX_IRREPS} irreps, the most "
        "frequent ones.",
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
        "First evaluated step with a logit similarity above 0.05. A dot is a run; of "
        "many runs, the thick line holds the middle 50 %, the thin one 90 %. The "
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
        "Those that did not generalise included.",
        partial(seeds.losses_over_runs, story),
    )
    yield (
        "similarity_over_runs",
        "Logit similarity over runs",
        "Each irrep over the runs that generalised and have it key; the irreps that "
        "most runs learned.",
        partial(seeds.similarity_over_runs, story),
    )


def _run_plan(story: Story, run: int) -> Plan:
    """Name, title, caption and plot of the figures of one run."""
    results, course = story.results, story.courses[run]
    irreps = "Irreps stand in order of learning; the grey band holds all others."
    yield (
        "losses",
        "Losses and phases",
        "Train and test loss; restricted loss, with ρ(ab) of the key irreps alone; "
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
        f"Loss with ρ(ab) of one irrep alone, and with all but that. {irreps}",
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
        "basis, by key irrep. Orange positive, blue negative; every k-th where there "
        "are many.",
        partial(anatomy.unembedding, story, parts),
    )
