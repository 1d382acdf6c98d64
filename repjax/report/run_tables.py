"""Tables of a single run: overall numbers and numbers by irrep."""

from collections.abc import Mapping
from typing import SupportsFloat

import numpy as np

from repjax.metrics import MEMORISED
from repjax.report.figures.periodic import TYPES
from repjax.report.figures.training import PHASE_NAMES
from repjax.report.learning import in_order_of_learning, shown_irreps
from repjax.report.story import Story
from repjax.report.tables import Cell, Table, decimal, number, percent, step
from repjax.statistics.phases import Course

MAX_IRREPS = 12
"""For groups with more irreps, only those that the run learned are listed."""


def fact_list(story: Story, run: int) -> list[tuple[str, str]]:
    """Return the overall numbers of a run, as names and values."""
    results, course = story.results, story.courses[run]

    def final(name: str) -> SupportsFloat | None:
        known = name in results.metrics
        return results.metrics[name][run, -1] if known else None

    order = "order of learning" if course.has_past else "similarity"
    facts = [
        (f"Key irreps, by {order}", ", ".join(results.key_irreps(run)) or "none"),
        ("Steps", f"{results.steps[-1]:,}"),
        ("Memorised at step", step(course.memorised).text),
        ("Generalised at step", step(course.generalised).text),
        *_phases(course),
        ("Train loss", number("train_loss", final("train_loss")).text),
        ("Test loss", number("test_loss", final("test_loss")).text),
        ("Test accuracy", decimal(final("test_accuracy"), 4).text),
        ("Logits explained, %", percent(final("fve_logits")).text),
        ("Neurons off", step(final("neurons_off")).text),
        ("Neurons on which a and b disagree", step(final("neurons_disagreeing")).text),
    ]
    if run in story.anatomies:
        anatomy = story.anatomies[run]
        losses = {
            "Loss over all pairs": anatomy.loss,
            "… with W_U in key space alone": anatomy.key_space_loss,
            "… with W_U outside key space": anatomy.complement_loss,
        }
        facts += [(name, number("loss", x).text) for name, x in losses.items()]
    return facts


def _phases(course: Course) -> list[tuple[str, str]]:
    phases = {name: getattr(course, name) for name in PHASE_NAMES}
    return [
        (name.replace("_", " ").capitalize(), f"step {p.start:,} to {p.end:,}")
        for name, p in phases.items()
        if p
    ]


def phase_note(course: Course) -> str:
    """Return why memorisation ends before the run has memorised; empty if it does not.

    The phase ends where excluded loss is lowest, whatever the train accuracy is.
    """
    phase, memorised = course.memorisation, course.memorised
    if phase is None or memorised is None or memorised <= phase.end:
        return ""
    return (
        f"The phase of memorisation ends at step {phase.end:,}, where excluded loss is "
        f"lowest; train accuracy reaches {MEMORISED:g} only at step {memorised:,}."
    )


EXPLAINED = {
    "logit_similarity": "Logit similarity",
    "irrep_fve_w_a": "W_a, %",
    "irrep_fve_w_b": "W_b, %",
    "irrep_fve_w_u": "W_U, %",
    "hidden_a": "h in ρ(a), %",
    "hidden_b": "h in ρ(b), %",
    "hidden_ab": "h in ρ(ab), %",
    "logit_map_similarity": "Logit map",
}
CLUSTERS = {
    "cluster_neurons": "Neurons",
    "cluster_a": "ρ(a), %",
    "cluster_b": "ρ(b), %",
    "cluster_ab": "ρ(ab), %",
}
ABLATIONS = {
    "irrep_restricted_loss": "Restricted",
    "irrep_excluded_loss": "Excluded",
    "without_a_loss": "Without ρ(a)",
    "without_b_loss": "Without ρ(b)",
    "without_ab_loss": "Without ρ(ab)",
}


def irrep_tables(story: Story, run: int) -> list[Table]:
    """Return tables of the paper's four steps, by irrep."""
    results = story.results
    shown = shown_irreps(results, run)
    if len(results.irreps) <= MAX_IRREPS:
        shown = np.ones(len(results.irreps), bool)
    rows = [
        results.irreps.index(name)
        for name in in_order_of_learning(results, run)
        if shown[results.irreps.index(name)]
    ]
    final = {
        name: results.metrics[name][run, -1]
        for name in (*EXPLAINED, *CLUSTERS, *ABLATIONS)
        if name in results.metrics
    }

    def cells(columns: Mapping[str, str], irrep: int) -> list[Cell]:
        return [_by_kind(name, final[name][irrep]) for name in columns if name in final]

    def present(columns: Mapping[str, str]) -> list[str]:
        return [title for name, title in columns.items() if name in final]

    def residual(irrep: int) -> Cell:
        parts = [final[name][irrep] for name in CLUSTERS if name != "cluster_neurons"]
        return percent(1 - sum(parts))

    dims, has_past = results.irrep_dims, story.courses[run].has_past
    names = [
        [
            Cell(results.irreps[i], note="key" if results.is_key[run, i] else ""),
            Cell(f"{dims[i]} {TYPES[story.types[i]]}", dims[i]),
            step(results.learned_step[run, i] if has_past else None),
        ]
        for i in rows
    ]
    rest = len(results.irreps) - len(rows)
    explained = Table(
        "What each irrep explains",
        ["Irrep", "Dimension, type", "Learned at", *present(EXPLAINED)],
        [[*name, *cells(EXPLAINED, i)] for name, i in zip(names, rows, strict=True)],
        f"Irreps that this run never learned are left out: {rest}." if rest else "",
    )
    tables = [explained]
    if "cluster_neurons" in final:
        clusters = [i for i in rows if final["cluster_neurons"][i] > 0]
        tables.append(
            Table(
                "Neuron clusters",
                ["Irrep", *present(CLUSTERS), "Residual, %"],
                [
                    [Cell(results.irreps[i]), *cells(CLUSTERS, i), residual(i)]
                    for i in clusters
                ],
                "Shares of the variance of the cluster's activations.",
            )
        )
    tables.append(
        Table(
            "Ablations, loss in nats",
            ["Irrep", *present(ABLATIONS)],
            [[Cell(results.irreps[i]), *cells(ABLATIONS, i)] for i in rows],
        )
    )
    return [table for table in tables if table.rows]


def _by_kind(metric: str, value: SupportsFloat) -> Cell:
    if metric == "cluster_neurons":
        return step(value)
    if metric.endswith("similarity"):
        return decimal(value)
    return number("loss", value) if metric.endswith("loss") else percent(value)
