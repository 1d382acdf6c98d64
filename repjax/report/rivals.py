"""Rival explanations of the runs of one cell, as tables: "Which explanation?"."""

from collections.abc import Mapping
from functools import partial
from itertools import chain

import numpy as np

from repjax.metrics import EXPLAINED
from repjax.report.story import Story
from repjax.report.tables import Cell, Table, decimal, number, percent, step

Rivals = Mapping[str, np.ndarray]
"""Name of docs/explanations.md → values by run; see `repjax.rivals.rivals_of`."""

SHARES = {
    "fve_class": "class functions",
    "fve_ab": "functions of ab",
    "fve_equivariant": "bi-equivariant",
}
"""Shares of the logits that functions allow, and what the page calls them."""

NEURONS = {
    "pure_a": "pure in a",
    "pure_b": "pure in b",
    "pure_u": "pure in U",
    "coset_left": "on cosets, a",
    "coset_right": "on cosets, b",
}
"""Shares of live neurons."""

NULLS = {
    "initial": "at initialisation",
    "memorised": "memorised",
    "shuffled": "elements shuffled",
}

NETWORKS = {
    "gcr": "characters (GCR)",
    "equivariant": "bi-equivariant",
    "coset": "cosets",
    "rho_set": "ρ-sets",
}
"""Idealised networks."""

INTERVENTIONS = {
    "unchanged": "none",
    "swap": "swap A and B",
    "swap_embeddings": "swap embeddings",
    "negate_a": "−A",
    "negate_b": "−B",
    "negate_both": "−A and −B",
    "absolute": "|x| for ReLU",
    "noise": "N(0, 1) noise",
}


MAX_CLASSES = 12


def rival_tables(story: Story) -> list[Table]:
    """Return the tables of a cell whose rivals were computed; else none."""
    if story.rivals is None:
        return []
    tables = [
        _runs(story),
        _nulls(story),
        _ideal(story),
        _interventions(story),
        _without_irreps(story),
        _without_subgroups(story),
        _clock(story),
    ]
    return [table for table in tables if table.rows]


def values_of(story: Story, name: str) -> np.ndarray:
    """Return a quantity by run, NaN where it was not computed."""
    assert story.rivals is not None
    blank = np.full(story.results.num_runs, np.nan)
    if name in EXPLAINED and name in story.results.metrics:
        return story.results.final(name)
    return np.asarray(story.rivals.get(name, blank), float)


def null_values(story: Story, null: str, name: str) -> np.ndarray:
    """Return a quantity under one of `NULLS`, by run; NaN where there is none."""
    return values_of(story, f"{null}_{name}")


def median_orders(story: Story, prefix: str = "") -> np.ndarray:
    """Return the median order of the live neurons' largest subgroups, by run.

    NaN without live neurons; `prefix` is "initial_" and the like for nulls.
    """
    orders = values_of(story, f"{prefix}coset_order")
    if orders.ndim < 2:
        return orders
    # Neurons that are off have order 0.
    live = (row[row > 0] for row in orders)
    return np.array([np.median(row) if row.size else np.nan for row in live])


def _runs(story: Story) -> Table:
    """Return a row for each run: shares of logits and of neurons."""
    names = {**SHARES, **NEURONS}
    rows, orders = [], median_orders(story)
    for run, seed in enumerate(story.results.cell.seeds):
        rows.append(
            [
                Cell(str(seed), seed),
                *(percent(values_of(story, name)[run]) for name in SHARES),
                decimal(values_of(story, "equivariance_spread")[run], 4),
                *(percent(values_of(story, name)[run]) for name in NEURONS),
                step(values_of(story, "live")[run]),
                step(orders[run]),
            ]
        )
    columns = [
        "Seed",
        *SHARES.values(),
        "spread",
        *NEURONS.values(),
        "live neurons",
        "median order",
    ]
    assert len(columns) == len(names) + 4
    return Table(
        "Which explanation? Shares of the logits and of the neurons, %",
        columns,
        rows,
        "Logits: share of ‖L~‖² in class functions of (ab)⁻¹c, in functions of the "
        "product and c, in functions of a⁻¹cb⁻¹. Neurons: share of live neurons with "
        "over 95 % of their input in one irrep, and constant on cosets of a subgroup; "
        "the median order of the largest such subgroup.",
    )


def _nulls(story: Story) -> Table:
    """Return a row for each quantity: its median, and its median under each null."""
    rows = []
    for name, title in chain(SHARES.items(), NEURONS.items()):
        medians = (_median(values_of(story, name)), *_medians_of_nulls(story, name))
        rows.append([Cell(title), *map(percent, medians)])
    spread = "equivariance_spread"
    medians = (_median(values_of(story, spread)), *_medians_of_nulls(story, spread))
    rows.append([Cell("spread"), *(decimal(median, 4) for median in medians)])
    orders = (median_orders(story, f"{null}_" if null else "") for null in ("", *NULLS))
    rows.append([Cell("median order"), *(step(_median(each)) for each in orders)])
    return Table(
        "Shares beside their nulls, medians over runs, %",
        ["Share", "trained", *NULLS.values()],
        rows,
        "At initialisation; when the network had memorised and did not yet "
        "generalise; and trained, with the elements of the group shuffled. "
        + _not_memorised(story),
    )


MEASURES = {"share": "share of logits, %", "accuracy": "accuracy, %", "loss": "loss"}
"""Measures of an idealised network."""


def _ideal(story: Story) -> Table:
    """Return a row for each measure of an idealised network, beside its nulls."""
    rows = []
    for name, title in NETWORKS.items():
        if not np.isfinite(values_of(story, f"{name}_accuracy")).any():
            continue
        measures = {f"{name}_{of}": label for of, label in MEASURES.items()}
        if name == "rho_set":
            measures["certified_accuracy"] = "certified, %"
        for measure, label in measures.items():
            values = values_of(story, measure)
            is_loss = measure.endswith("loss")
            worst = _extreme(values, largest=is_loss)
            medians = (_median(values), worst, *_medians_of_nulls(story, measure))
            show = partial(number, "loss") if is_loss else percent
            rows.append([Cell(title), Cell(label), *map(show, medians)])
    return Table(
        "Idealised networks, medians over runs",
        ["Network", "measure", "trained", "worst run", *NULLS.values()],
        rows,
        f"{_certified(story)} {_BLANK_COSETS} {_not_memorised(story)}".strip(),
    )


_BLANK_COSETS = (
    "Cosets: no value where no neuron is constant on any, as the network is then "
    "its own idealisation."
)


def _certified(story: Story) -> str:
    """Return a sentence on the time of certificates, beside brute force."""
    seconds = _median(values_of(story, "certified_seconds"))
    brute = _median(values_of(story, "brute_force_seconds"))
    if not np.isfinite(seconds):
        return ""
    return (
        "Certified: pairs whose idealised margin exceeds twice a bound on the error, "
        f"from the weights alone. This takes {1e3 * seconds:.0f} ms for each network; "
        f"to run it on all pairs takes {1e3 * brute:.0f} ms."
    )


def _not_memorised(story: Story) -> str:
    """Return why there are no weights of memorisation; empty if there are."""
    seconds = null_values(story, "memorised", "seconds")
    if not np.isfinite(seconds).any():
        return ""
    return (
        "Memorised: the weights of that step were not kept, and training again up to "
        f"it would take about {np.nanmax(seconds):.0f} s, too long for a report; train "
        "with --config.checkpoint.snapshots=True."
    )


def _interventions(story: Story) -> Table:
    """Return a row for each intervention: accuracy, nulls, and what is predicted."""
    rows = []
    for name, title in INTERVENTIONS.items():
        accuracy = values_of(story, f"{name}_accuracy")
        if np.isfinite(accuracy).any():
            predicted = [
                Cell(story.predictions.get(name, {}).get(of, "–"))
                for of in ("gcr", "cosets", "rho_sets")
            ]
            nulls = _medians_of_nulls(story, f"{name}_accuracy")
            medians = map(percent, (_median(accuracy), *nulls))
            rows.append([Cell(title), *medians, *predicted])
    return Table(
        "Interventions: median accuracy, and what each explanation predicts",
        ["Intervention", "trained, %", *NULLS.values(), "GCR", "cosets", "ρ-sets"],
        rows,
        "None of these looks at the group: elements shuffled have no meaning here. "
        + _not_memorised(story),
    )


def _without_irreps(story: Story) -> Table:
    """Return rows for each irrep with neurons: accuracy without its part, or them."""
    sizes = values_of(story, "cluster_size")
    rows = []
    parts = {"irrep": "its part of A and B", "cluster": "its neurons"}
    for k, name in enumerate(story.results.irreps if sizes.ndim == 2 else ()):
        uses = sizes[:, k] > 0
        if uses.any():
            count = [step(uses.sum()), step(_median(sizes[uses, k]))]
            rows += [
                [Cell(name), *count, Cell(label), *_without(story, part, k, uses)]
                for part, label in parts.items()
            ]
    return Table(
        "Removals by irrep: median accuracy over the runs with neurons of it, %",
        ["Irrep", "runs", "neurons", "removed", "trained", *NULLS.values()],
        rows,
        "GCR and ρ-sets lose what the irrep carries, and everything if it is alone. "
        "Shuffled: the irrep of the group with other names, judged by the true labels. "
        "Neurons: no value where an irrep has none.",
    )


def _without_subgroups(story: Story) -> Table:
    """Return a row for each class of subgroups that neurons are constant on."""
    sizes = values_of(story, "subgroup_size")
    rows = []
    if sizes.ndim == 2:
        orders = values_of(story, "subgroup_order")[0]
        by_size = np.argsort(-np.median(sizes, axis=0), kind="stable")
        for k in by_size[:MAX_CLASSES].tolist():
            uses = sizes[:, k] > 0
            if uses.any():
                rows.append(
                    [
                        Cell(f"class {k + 1}"),
                        step(orders[k]),
                        step(uses.sum()),
                        step(_median(sizes[uses, k])),
                        *_without(story, "subgroup", k, uses),
                    ]
                )
    return Table(
        "Removals by class of subgroups: median accuracy without their neurons, %",
        ["Subgroups", "order", "runs", "neurons", "trained", *NULLS.values()],
        rows,
        "Classes are numbered as `repjax groups "
        f"{story.results.cell.group} --subgroups` lists them, without the trivial "
        f"subgroup. At most {MAX_CLASSES} of them, those with most neurons; a neuron "
        "counts for "
        "every subgroup on whose cosets it is constant. Cosets lose these votes. Nulls "
        "have no value where no neuron is constant on them.",
    )


def _without(story: Story, part: str, k: int, uses: np.ndarray) -> list[Cell]:
    """Return median accuracies without part k, over some runs, and their nulls.

    A run counts in a null only if it has neurons to remove there.
    """
    medians = []
    for prefix in ("", *(f"{null}_" for null in NULLS)):
        accuracy = values_of(story, f"{prefix}without_{part}_accuracy")
        sizes = values_of(story, f"{prefix}{part}_size")
        if accuracy.ndim < 2:
            medians.append(np.nan)
            continue
        some = uses if sizes.ndim < 2 else uses & (sizes[:, k] > 0)
        medians.append(_median(accuracy[some, k]))
    return [percent(median) for median in medians]


def _clock(story: Story) -> Table:
    """Return a row for each run on a cyclic group: clock or pizza."""
    names = {
        "distance_irrelevance": "distance irrelevance",
        "gradient_symmetricity": "gradient symmetricity",
        "input_symmetricity": "input symmetricity",
    }
    known = {
        name: title
        for name, title in names.items()
        if np.isfinite(values_of(story, name)).any()
    }
    rows = [
        [
            Cell(str(seed), seed),
            *(decimal(values_of(story, name)[run]) for name in known),
        ]
        for run, seed in enumerate(story.results.cell.seeds)
    ]
    rows += [
        [
            Cell(title),
            *(decimal(_median(null_values(story, null, name))) for name in known),
        ]
        for null, title in NULLS.items()
    ]
    return Table(
        "Clock or pizza, by run, and medians of nulls",
        ["Seed", *known.values()],
        rows if known else [],
        "Zhong et al. report 0.17 and 0.99 for their pizza, 0.85 and 0.33 for their "
        "clock; gradients of two embeddings with unrelated coordinates say nothing. "
        "Gradients look at no group: shuffling its elements has no meaning there.",
    )


def _medians_of_nulls(story: Story, name: str) -> list[float]:
    return [_median(null_values(story, null, name)) for null in NULLS]


def _extreme(values: np.ndarray, largest: bool) -> float:
    finite = values[np.isfinite(values)]
    return float((np.max if largest else np.min)(finite)) if finite.size else np.nan


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
