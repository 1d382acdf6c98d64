"""The data card of a dataset: what its files hold, and how they came about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repjax.dataset.column import Column
from repjax.dataset.columns import FILES, ROWS, SETTINGS
from repjax.dataset.rows import Part, settings_of
from repjax.metrics import (
    GENERALISED,
    KEY_SIMILARITY,
    LEARNED_SIMILARITY,
    MEMORISED,
    NEURON_POWER,
)
from repjax.storage.workdirs import show_seeds

LICENCE = "Apache-2.0"

MOST_CELLS = 200
"""With more cells the card has no table of them; runs.parquet has it all."""

MOST_VALUES = 12
"""Of a setting with more values, the card has only the smallest and the largest."""

NOTATION = (
    "n is the order of the group, a and b are its elements, ρ is a real irrep; pairs "
    "are (a, b). A and B (n × neurons) are the inputs of the hidden layer from a and "
    "from b, of a transformer its embedding; Z_a and Z_b the same before the ReLU; U "
    "(neurons × n) maps activations to logits. P_ρ projects functions on the group "
    "onto the matrix entries of ρ. The part of the activations in ρ(ab) is that of "
    "their mean over all pairs with the same ab; ρ(a) and ρ(b) likewise. The formulas "
    "are in docs/metrics.md of repjax."
)

THRESHOLDS = (
    (f"{KEY_SIMILARITY}", "an irrep is key above this final logit similarity"),
    (f"{LEARNED_SIMILARITY}", "an irrep is learned at the first similarity above this"),
    (f"{GENERALISED}", "least test accuracy of a run that has generalised"),
    (f"{MEMORISED}", "least train accuracy of a run that has memorised"),
    (f"{NEURON_POWER:g}", "a neuron is in the clusters from which it receives more"),
)


@dataclass(frozen=True)
class Origin:
    """Where a dataset comes from.

    Attributes:
        manifests: manifest.json of each workdir that has one.
        missing: a line for each cell of the sweeps whose runs are not all there.
        commit: commit of the code that wrote the dataset.
        versions: versions of the packages that wrote it.
    """

    manifests: Sequence[Mapping[str, Any]]
    missing: Sequence[str]
    commit: str
    versions: Mapping[str, str]


def card(parts: Sequence[Part], num_rows: Mapping[str, int], origin: Origin) -> str:
    """Return README.md; nothing in it depends on time or place.

    Args:
        parts: all parts of the dataset.
        num_rows: number of rows of each file, by its name without ending.
        origin: where it comes from.
    """
    blocks = [
        "# Networks trained on finite groups",
        f"{num_rows['runs']:,} small networks in {len(parts):,} cells, each trained by "
        "repjax to multiply the elements of a finite group: every pair (a, b) has the "
        "label ab, or another word in a and b. The files tell which irreducible "
        "representations (irreps) each network learned, when, and how much of it they "
        "explain. A cell is all runs that differ only in their seed.",
        table(
            ("file", "rows", "contents"),
            [(f"{name}.parquet", f"{num_rows[name]:,}", ROWS[name]) for name in FILES],
        ),
        "`cell` and `seed` together name a run in every file.",
        "## How it was made",
        "**Training.** Full-batch AdamW with a constant learning rate on the "
        "cross-entropy of the training pairs. The seed of a run decides its initial "
        "weights and its training pairs, and nothing else does.",
        "**Stopping rule.** Every run takes a fixed number of steps, `num_steps`, "
        "whatever it has learned by then; only a loss that is not finite ends it "
        "earlier, and it is then marked `diverged`. A run that has not generalised is "
        "censored at `num_steps`. Every run of a finished cell is here, whatever its "
        "outcome.",
        "**Imported runs** were trained by others; only their end was measured.",
        "**Missing values** (null) were not measured or are not defined: `test_*` "
        "where every pair trains, energies where the initial weights are not known, "
        "losses of diverged runs, settings of other architectures.",
        "**Thresholds.**",
        table(("threshold", "meaning"), THRESHOLDS),
        "**Settings.**",
        table(("setting", "values"), list(_settings(parts))),
        "## Cells",
        _cells(parts),
        "**Missing runs.** " + ("; ".join(origin.missing) or "None") + ".",
        "## Provenance",
        "\n".join(f"- Trained with {line}" for line in _calls(origin.manifests)),
        f"Written by commit `{origin.commit}` with {_versions(origin.versions)}. The "
        "same workdirs, code and versions give the same bytes.",
        "## Licence",
        f"{LICENCE}, as the code of repjax.",
        "## Columns",
        NOTATION,
        columns_in_words(),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def columns_in_words() -> str:
    """Return a table of columns for each file, also part of docs/dataset.md."""
    return "\n\n".join(
        f"### {name}.parquet\n\n{ROWS[name].capitalize()}.\n\n"
        + table(("column", "type", "unit", "definition"), map(_in_words, columns))
        for name, columns in FILES.items()
    )


def _in_words(column: Column) -> tuple[str, ...]:
    kind = {"text": "string", "texts": "list of string", "float32s": "list of float32"}
    null = ", null" if column.nullable else ""
    return (
        f"`{column.name}`",
        kind.get(column.kind, column.kind) + null,
        column.unit,
        column.definition,
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def _settings(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Yield every setting with its values in all cells."""
    settings = [
        settings_of(part.cells[index])
        for part in parts
        for index in {index for index, _ in part.merged.sources}
    ]
    for column in SETTINGS:
        values = {one[column.name] for one in settings} - {None}
        if len(values) > MOST_VALUES:
            low, high = min(values), max(values)
            yield f"`{column.name}`", f"{len(values)} values, {low} to {high}"
        elif values:
            yield f"`{column.name}`", ", ".join(map(str, sorted(values)))


def _cells(parts: Sequence[Part]) -> str:
    if len(parts) > MOST_CELLS:
        return f"{len(parts):,} cells, listed in runs.parquet."
    rows = []
    for part in parts:
        results = part.merged.results
        rows.append(
            (
                part.name,
                part.group.small_group or "",
                str(part.group.order),
                show_seeds(results.cell.seeds),
                f"{results.generalised.sum()} of {results.num_runs}",
                str(results.diverged.sum()),
            )
        )
    head = ("cell", "small group", "order", "seeds", "generalised", "diverged")
    return table(head, rows)


def _calls(manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each way in which the runs were trained."""
    calls = [
        call for manifest in manifests for call in (manifest, *manifest["earlier"])
    ]
    return sorted({_call(call) for call in calls})


def _call(call: Mapping[str, Any]) -> str:
    file = call.get("config_file")
    config = f"`{Path(file).name}`, " if file else ""
    devices = ", ".join(dict.fromkeys(map(str, call["devices"])))
    return (
        f"{config}commit `{call['commit']}`, on {devices} ({call['processor']}), "
        f"{_versions(call['versions'])}"
    )


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
