"""How one network trained: every progress measure against the step.

Chughtai et al. 2023, sections 5 and 6. A line is an irrep that is key at the end or was
learned on the way; a grey band covers all others, a grey line is the only other one.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from repjax.report.figures.look import (
    GRID,
    MUTED,
    NAMED,
    PHASES,
    add_key,
    irrep_styles,
    loss_axis,
    new_figure,
    plain,
    share_axis,
    step_axis,
)
from repjax.report.learning import in_order_of_learning, shown_irreps
from repjax.settings.architectures import ARCHITECTURES
from repjax.statistics.phases import Course
from repjax.storage.results import CellResults

PHASE_NAMES = ("memorisation", "circuit_formation", "cleanup")


def logit_similarity(results: CellResults, run: int) -> Figure | None:
    """Plot the cosine between the logits and the character of each irrep."""
    return _by_irrep(results, run, {"logit_similarity": "logit similarity"})


def embeddings(results: CellResults, run: int) -> Figure | None:
    """Plot the share of the embeddings and of the unembedding in each irrep."""
    labels = {
        "irrep_fve_w_a": "W_a, %",
        "irrep_fve_w_b": "W_b, %",
        "irrep_fve_w_u": "W_U, %",
    }
    if ARCHITECTURES[results.cell.architecture].one_embedding:
        labels = {"irrep_fve_w_a": "W_E, %", "irrep_fve_w_u": "W_U, %"}
    return _by_irrep(results, run, labels)


def hidden_layer(results: CellResults, run: int) -> Figure | None:
    """Plot the share of the hidden layer in ρ(a), ρ(b) and ρ(ab)."""
    labels = {"hidden_a": "ρ(a), %", "hidden_b": "ρ(b), %", "hidden_ab": "ρ(ab), %"}
    return _by_irrep(results, run, labels)


def irrep_losses(results: CellResults, run: int) -> Figure | None:
    """Plot the loss with ρ(ab) of one irrep alone, and the loss without it."""
    labels = {
        "irrep_restricted_loss": "restricted, nats",
        "irrep_excluded_loss": "excluded, nats",
    }
    return _by_irrep(results, run, labels)


def losses(results: CellResults, run: int, course: Course) -> Figure | None:
    """Plot train, test, restricted and excluded loss over the phases."""
    series = {
        name: values
        for name in NAMED
        if (values := _history(results, name, run)) is not None
    }
    if not series:
        return None
    figure, (axes,) = new_figure(row_height=2.0)
    phases = _shade(axes, course)
    lines = []
    for name, values in series.items():
        style = NAMED[name]
        lines += _draw(axes, results.steps, values, name.removesuffix("_loss"), style)
    loss_axis(axes, "loss, nats", list(series.values()))
    step_axis(axes, results.steps)
    add_key(figure, [*lines, *phases])
    return figure


def weight_norm(results: CellResults, run: int, course: Course) -> Figure | None:
    """Plot the sum of the squares of all weights over the phases."""
    values = _history(results, "weight_norm_sq", run)
    if values is None:
        return None
    figure, (axes,) = new_figure()
    phases = _shade(axes, course)
    _draw(axes, results.steps, values, "weight norm²", NAMED["train_loss"])
    axes.set_ylim(0, 1.05 * np.nanmax(values))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda value, _: plain(value))
    axes.set_ylabel("‖weights‖²")
    step_axis(axes, results.steps)
    add_key(figure, phases)
    return figure


def _history(
    results: CellResults, name: str, run: int
) -> Float[np.ndarray, "evaluation *irrep"] | None:
    """Return a metric along training, NaN where not measured; None without a curve."""
    values = results.metrics.get(name)
    if values is None:
        return None
    measured = np.isfinite(values[run].reshape(len(results.steps), -1)).any(axis=1)
    return values[run] if measured.sum() > 1 else None


def _by_irrep(
    results: CellResults, run: int, labels: Mapping[str, str]
) -> Figure | None:
    """Plot one row of axes per metric of single irreps."""
    histories = {name: _history(results, name, run) for name in labels}
    present = {name: h for name, h in histories.items() if h is not None}
    if not present:
        return None
    shown = shown_irreps(results, run)
    figure, rows = new_figure(len(present), 1.75 if len(present) == 1 else 1.15)
    keys: dict[str, Line2D] = {}
    for axes, (name, values) in zip(rows, present.items(), strict=True):
        keys |= _irrep_lines(axes, results, values, shown)
        if name.endswith("loss"):
            loss_axis(axes, labels[name], [values])
        else:
            share = labels[name].endswith("%")
            share_axis(axes, labels[name], np.nanmax(values), percent=share)
        step_axis(axes, results.steps)
        axes.label_outer()
    ordered: list[Line2D | Patch] = [
        keys[n] for n in in_order_of_learning(results, run) if n in keys
    ]
    if not shown.all():
        ordered.append(Patch(color=GRID, label="other irreps"))
    add_key(figure, ordered)
    return figure


def _irrep_lines(
    axes: Axes,
    results: CellResults,
    values: Float[np.ndarray, "evaluation irrep"],
    shown: Bool[np.ndarray, " irrep"],
) -> dict[str, Line2D]:
    styles = irrep_styles(results)
    measured = np.isfinite(values).all(axis=1)
    steps, values = results.steps[measured], values[measured]
    if not shown.all():
        others = values[:, ~shown]
        axes.fill_between(
            steps,
            others.min(axis=1),
            others.max(axis=1),
            color=GRID,
            linewidth=1.5 if others.shape[1] == 1 else 0,  # else it has no width
            label="other irreps",
        )
    lines = {}
    for i in np.flatnonzero(shown):
        name = results.irreps[i]
        (lines[name],) = _draw(axes, steps, values[:, i], name, styles[name])
    return lines


def _draw(axes, steps, values, name, style) -> list[Line2D]:
    """Draw a line that the page can name: its gid is `series:` and the name."""
    measured = np.isfinite(values)
    return axes.plot(
        steps[measured],
        values[measured],
        color=style.color,
        linestyle=style.linestyle,
        label=name,
        gid=f"series:{name}",
        clip_on=False,
    )


def _shade(axes: Axes, course: Course) -> list[Patch]:
    """Shade the phases of a run, and return their legend entries."""
    patches = []
    for name, color in zip(PHASE_NAMES, PHASES, strict=True):
        phase = getattr(course, name)
        if phase is not None:
            axes.axvspan(phase.start, phase.end, color=color, linewidth=0)
            label = name.replace("_", "\n")
            patches.append(Patch(facecolor=color, edgecolor=MUTED, lw=0.4, label=label))
    return patches
