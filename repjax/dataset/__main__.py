"""Write the results of one or more workdirs as Parquet files with a data card.

repjax dataset --workdir=DIR [--workdir=DIR2 …] --out=DIR

Writes runs.parquet, irreps.parquet, evaluations.parquet and README.md to --out. Runs
that differ only in their seed are one cell, even from different workdirs. Needs the
extra `dataset`.
"""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from repjax import __version__, command_line
from repjax.command_line import usable_directory
from repjax.dataset.card import Origin, card
from repjax.dataset.columns import FILES
from repjax.dataset.measures import ENERGIES
from repjax.dataset.rows import GroupFacts, Part, rows
from repjax.extras import require
from repjax.groups import Group
from repjax.groups.facts import irrep_facts
from repjax.groups.identify import identify
from repjax.report.merging import Merged, merge, unique_names
from repjax.settings.rules import ConfigError
from repjax.storage.files import as_path, read_json, write_text
from repjax.storage.workdirs import cell_directories, missing, wanted_seeds

if TYPE_CHECKING:  # imports jax, needed only once there is something to read
    from repjax.dissection import FinishedCell

CARD = "README.md"

_FLAGS = flags.FlagValues()
_WORKDIRS = flags.DEFINE_multi_string(
    "workdir",
    [],
    "Directory that a sweep was trained in; give several to merge them.",
    flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    "Directory of the dataset, which will be created; it may hold an earlier one.",
    flag_values=_FLAGS,
)


def main() -> None:
    """Write the files of a dataset from trajectories and checkpoints."""
    if not _WORKDIRS.value:
        raise ConfigError("--workdir: missing; use a directory that was trained in")
    require("pyarrow", "dataset", "--out")
    # Sorted: the order of the flags shall not matter, even where a seed is repeated.
    workdirs = [as_path(name) for name in sorted({*_WORKDIRS.value})]
    directories = cell_directories(workdirs)
    out = directory_of_dataset(_OUT.value)

    from repjax.dissection import open_cells
    from repjax.engine import backend
    from repjax.engine.manifest import commit

    backend.prepare()
    backend.require_devices()
    cells = open_cells(directories)
    if not cells:
        raise ConfigError(
            f"--workdir: no cell in {', '.join(_WORKDIRS.value)} is trained to the end"
        )
    lacking = [*missing(wanted_seeds(workdirs), [cell.results.cell for cell in cells])]
    for line in lacking:
        print(f"repjax: {line}", file=sys.stderr)
    manifests = [path / "manifest.json" for path in workdirs]
    origin = Origin(
        manifests=[read_json(path) for path in manifests if path.is_file()],
        missing=lacking,
        commit=commit(),
        versions={
            "repjax": __version__,
            "python": platform.python_version(),
            "pyarrow": version("pyarrow"),
            "numpy": version("numpy"),
        },
    )
    num_rows = write_dataset(build_parts(cells), origin, out)
    runs = "1 run" if num_rows["runs"] == 1 else f"{num_rows['runs']:,} runs"
    print(f"repjax: {runs} in {out}")


def directory_of_dataset(name: str | None) -> Path:
    """Return the directory of --out, after checking that it holds nothing else."""
    out = usable_directory("--out", name)
    ours = {CARD, *(f"{file}.parquet" for file in FILES)}
    others = sorted(path.name for path in out.iterdir() if path.name not in ours)
    if others:
        raise ConfigError(
            f"--out: {name!r} holds other files, such as {others[0]!r}; "
            "use an empty or new directory"
        )
    return out


def build_parts(cells: Sequence["FinishedCell"]) -> tuple[Part, ...]:
    """Merge the runs of cells that differ only in their seed, sorted by name."""
    cells = sorted(
        cells, key=lambda one: (one.results.cell.name, *one.results.cell.seeds)
    )
    merged = merge([cell.results for cell in cells])
    groups: dict[str, GroupFacts] = {}
    parts = []
    for name, one in zip(unique_names(merged), merged, strict=True):
        group = cells[one.sources[0][0]].group
        if group.name not in groups:
            groups[group.name] = facts_of(group)
        if one.repeated:
            seeds = ", ".join(map(str, one.repeated))
            print(f"repjax: {name}: counted once: seeds {seeds}", file=sys.stderr)
        parts.append(
            Part(
                name=name,
                group=groups[group.name],
                merged=one,
                cells=[cell.results.cell for cell in cells],
                energies=energies_of(one, cells),
            )
        )
    return tuple(parts)


def facts_of(group: Group) -> GroupFacts:
    """Return what the files say of a group."""
    entry = identify(group)
    return GroupFacts(
        order=group.order,
        small_group=entry.name if entry else None,
        irreps={irrep.name: irrep for irrep in irrep_facts(group)},
    )


def energies_of(
    merged: Merged, cells: Sequence["FinishedCell"]
) -> dict[str, np.ndarray]:
    """Return the initial energies of merged runs: (run, irrep), NaN where unknown."""
    from repjax.initial import energies

    indices = dict.fromkeys(index for index, _ in merged.sources)
    found = {index: energies(cells[index]) for index in indices}
    blank = np.full(len(merged.results.irreps), np.nan, np.float32)
    return {
        column.name: np.stack(
            [
                found[index][column.name][row] if found[index] else blank
                for index, row in merged.sources
            ]
        )
        for column in ENERGIES
    }


def write_dataset(parts: Sequence[Part], origin: Origin, out: Path) -> dict[str, int]:
    """Write all files; return the number of rows of each."""
    from repjax.dataset.parquet import table_of, write_table

    tables: dict[str, list[Any]] = {name: [] for name in FILES}
    for part in parts:
        for name, values in rows(part).items():
            tables[name].append(table_of(FILES[name], values))
    for name, several in tables.items():
        write_table(several, out / f"{name}.parquet")
    num_rows = {name: sum(map(len, several)) for name, several in tables.items()}
    write_text(out / CARD, card(parts, num_rows, origin))
    return num_rows


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
