"""Report what the networks of one or more workdirs learned: numbers, figures, a page.

repjax report --workdir=DIR [--workdir=DIR2 …] [--out=DIR] [--networks=4]
    [--panels=8] [--cells=PATTERN] [--step=N]

Writes analysis.json, figures/ and index.html to --out. Runs that differ only in their
seed are reported together, even from different workdirs.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from repjax import command_line
from repjax.command_line import usable_directory
from repjax.explanations.orbits import least_sizes
from repjax.explanations.predictions import predictions_for
from repjax.groups import Group, real_irreps
from repjax.groups.automorphisms import irrep_permutations
from repjax.groups.subgroups import TooManySubgroups, subgroups
from repjax.report.comparisons import compare
from repjax.report.merging import Merged, merge, unique_names
from repjax.report.periodic import Member, periodic_table
from repjax.report.selection import FEWEST_RUNS, Selection, Symmetry, select
from repjax.report.story import Anatomy, Report, Story
from repjax.settings.rules import ConfigError
from repjax.statistics.phases import Course, courses
from repjax.statistics.predictors import MIN_RUNS
from repjax.statistics.universality import universality
from repjax.storage.files import as_path, read_json
from repjax.storage.workdirs import (
    cell_directories,
    missing,
    parse_step,
    read_cell,
    wanted_seeds,
)

if TYPE_CHECKING:  # imports jax, needed only once there is something to read
    from repjax.dissection import FinishedCell

NETWORKS_EACH = 4

MANY_CELLS = 40
"""Above this number of cells, no network is taken apart unless asked for."""

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
    "Directory of the report; the first workdir if not given.",
    flag_values=_FLAGS,
)
_NETWORKS = flags.DEFINE_string(
    "networks",
    None,
    "How many networks of each cell to take apart, generalised runs first; by default "
    "4, or none with more than 40 cells.",
    flag_values=_FLAGS,
)


_PANELS = flags.DEFINE_string(
    "panels",
    None,
    "How many runs of each cell get figures of their own, those taken apart first; by "
    "default 8, or none if more than 8 cells have figures.",
    flag_values=_FLAGS,
)
_CELLS = flags.DEFINE_string(
    "cells",
    None,
    "Cells that get figures, such as 'S5_*'; by default all, or none of more than 40.",
    flag_values=_FLAGS,
)


_STEP = flags.DEFINE_string(
    "step",
    None,
    "Step at which the networks of --cells are taken apart, one with a snapshot; by "
    "default the last.",
    flag_values=_FLAGS,
)


def main() -> None:
    """Turn trajectories and checkpoints into analysis.json, figures and index.html."""
    if not _WORKDIRS.value:
        raise ConfigError("--workdir: missing; use a directory that was trained in")
    num_networks = _count("--networks", _NETWORKS.value)
    num_panels = _count("--panels", _PANELS.value)
    step = None if _STEP.value is None else parse_step(_STEP.value)
    workdirs = [as_path(workdir) for workdir in _WORKDIRS.value]
    directories = cell_directories(workdirs)
    if num_networks is None:
        num_networks = NETWORKS_EACH if len(directories) <= MANY_CELLS else 0

    flag, name = (
        ("--out", _OUT.value) if _OUT.value else ("--workdir", _WORKDIRS.value[0])
    )
    out = usable_directory(flag, name)
    read = [read_cell(directory) for directory in directories]
    for line in missing(wanted_seeds(workdirs), read):
        print(f"repjax: {line}", file=sys.stderr)

    from repjax.engine import backend

    backend.prepare()
    backend.require_devices()
    manifests = read_manifests(workdirs)
    report = build_report(
        directories, num_networks, manifests, step, _CELLS.value or "*"
    )
    if not report.stories:
        raise ConfigError(
            f"--workdir: no cell in {', '.join(_WORKDIRS.value)} is trained to the end"
        )

    from repjax.report.analysis import write_analysis
    from repjax.report.figures.gallery import write_figures
    from repjax.report.page import write_page

    write_analysis(report, out)
    if num_networks:
        print("repjax: drawing figures", file=sys.stderr)
    figures = write_figures(report, out, num_panels, _CELLS.value)
    page = write_page(report, figures, out)
    told = "1 cell" if len(report.stories) == 1 else f"{len(report.stories)} cells"
    print(f"repjax: {told} in {page.parent}: {page.name}, figures/, analysis.json")


def _count(flag: str, text: str | None) -> int | None:
    """Return the value of a flag as a number, None if it is not given."""
    if text is None:
        return None
    if not text.isdecimal():
        raise ConfigError(
            f"{flag}: {text!r} is not allowed; use an integer, at least 0"
        )
    return int(text)


def read_manifests(workdirs: Iterable[Path]) -> dict[str, Any]:
    """Return the manifest of each workdir that has one, by the workdir as given."""
    paths = {str(workdir): workdir / "manifest.json" for workdir in workdirs}
    return {name: read_json(path) for name, path in paths.items() if path.is_file()}


def build_report(
    directories: Sequence[Path],
    num_networks: int,
    manifests: dict[str, Any],
    step: int | None = None,
    of_cells: str = "*",
) -> Report:
    """Build the report of the cells in these folders.

    Args:
        directories: folders of finished cells.
        num_networks: how many networks of each story are taken apart, at most.
        manifests: manifests of their workdirs.
        step: step at which they are taken apart, by default the last.
        of_cells: pattern for the names of cells that this step is for; others are taken
            apart at the last.

    Raises:
        ConfigError: no cell matches the pattern, or one has no snapshot of the step.
    """
    from repjax.dissection import open_cells

    cells = open_cells(directories)
    parts = merge([cell.results for cell in cells])
    names = unique_names(parts)
    chosen = [fnmatchcase(name, of_cells) for name in names]
    if parts and not any(chosen):
        some = f"{', '.join(names[:10])}{', …' * (len(names) > 10)}"
        raise ConfigError(
            f"--cells: {of_cells!r} matches no cell; the cells are {some}"
        )
    if step is not None:
        indices = {i for part in compress(parts, chosen) for i, _ in part.sources}
        at_step = open_cells([cells[i].directory for i in sorted(indices)], step)
        for index, cell in zip(sorted(indices), at_step, strict=True):
            cells[index] = cell
    stories: list[Story] = []
    for i, (name, merged) in enumerate(zip(names, parts, strict=True), start=1):
        if num_networks:  # these take seconds to minutes
            print(f"repjax: cell {i} of {len(parts)}: {name}", file=sys.stderr)
        if merged.repeated:
            seeds = ", ".join(map(str, merged.repeated))
            print(f"repjax: {name}: counted once: seeds {seeds}", file=sys.stderr)
        stories.append(replace(_tell(merged, cells, num_networks), name=name))
    members = [Member(s.name, s.results, s.order, s.types) for s in stories]
    table, compared = periodic_table(members), compare(members)
    return Report(tuple(stories), table, manifests, compared)


def _tell(merged: Merged, cells: Sequence["FinishedCell"], num_networks: int) -> Story:
    """Return the story of merged runs."""
    results = merged.results
    group = cells[merged.sources[0][0]].group
    generalised_first = np.argsort(~results.generalised, kind="stable").tolist()
    with_network = [
        run for run in generalised_first if cells[merged.sources[run][0]].has_networks
    ]

    def anatomy(run: int) -> Anatomy:
        index, row = merged.sources[run]
        return cells[index].anatomy(row)

    rivals = _rivals(merged, cells) if num_networks else None
    past = courses(results)
    return Story(
        name=results.cell.name,
        order=group.order,
        types=tuple(irrep.type for irrep in real_irreps(group)),
        results=results,
        courses=past,
        universality=universality(results),
        anatomies={run: anatomy(run) for run in sorted(with_network[:num_networks])},
        rivals=rivals,
        predictions=predictions_for(group),
        selection=(
            _selection(merged, cells, past, rivals) if results.num_runs > 1 else None
        ),
    )


def _rivals(
    merged: Merged, cells: Sequence["FinishedCell"]
) -> dict[str, np.ndarray] | None:
    """Return the rival explanations of merged runs; None if one has no network."""
    from repjax.rivals import rivals_of

    indices = dict.fromkeys(index for index, _ in merged.sources)
    if not all(cells[index].has_networks for index in indices):
        return None
    return _of_runs(merged, {index: rivals_of(cells[index]) for index in indices})


def _selection(
    merged: Merged,
    cells: Sequence["FinishedCell"],
    past: Sequence[Course],
    rivals: dict[str, np.ndarray] | None,
) -> Selection:
    """Return the law of selection of merged runs; of few, without a look at networks.

    Initial energies are those of the runs' seeds, and need no checkpoint.
    """
    results, group = merged.results, cells[merged.sources[0][0]].group
    num_generalised = int(results.generalised.sum())
    symmetry = _symmetry(group) if num_generalised >= FEWEST_RUNS else None
    energies = {}
    if num_generalised >= 2 * MIN_RUNS:
        from repjax.initial import energies as initial_energies

        indices = dict.fromkeys(index for index, _ in merged.sources)
        energies = _of_runs(
            merged, {index: initial_energies(cells[index]) for index in indices}
        )
    return select(results, past, symmetry, rivals, energies)


def _symmetry(group: Group) -> Symmetry:
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    try:
        sizes = least_sizes(characters, subgroups(group))
    except TooManySubgroups:
        sizes = None
    return Symmetry(irrep_permutations(group, characters), sizes)


def _of_runs(
    merged: Merged, found: Mapping[int, Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the quantities that all cells have, in the order of the merged runs.

    Args:
        merged: runs.
        found: index of a cell → its quantities by name, (run, …) each.
    """
    names = set.intersection(*({*of} for of in found.values()))
    return {
        name: np.stack([found[index][name][row] for index, row in merged.sources])
        for name in sorted(names)
    }


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
