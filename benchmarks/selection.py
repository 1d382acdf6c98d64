"""Time and memory of the law of selection and of a report of one cell of many runs.

python benchmarks/selection.py [--runs=1000,10000] [--out=F.json]

The cell is made up, not trained: D12 (order 24, nine real irreps), 100 evaluations,
every metric, float32; each irrep is key in four runs of ten, a tenth of the runs never
generalises, and energies at step 0 favour the key irreps a little. `law` is
`repjax.report.selection.select` with predictors; `story` milestones and shares; `json`
and `page` write analysis.json and index.html with all figures of the cell.
`cpu_seconds` is the time of all of them on all cores, which other processes disturb
less. Each number of runs has a process of its own, whose peak memory includes the
trajectory.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from benchmarks import timing
from experiments.quickstart import get_config
from repjax import command_line
from repjax.groups import build_group, real_irreps
from repjax.groups.automorphisms import irrep_permutations
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.report.analysis import write_analysis
from repjax.report.figures.gallery import write_figures
from repjax.report.page import write_page
from repjax.report.periodic import Member, periodic_table
from repjax.report.selection import Symmetry, select
from repjax.report.story import Report, Story
from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand
from repjax.statistics.phases import courses
from repjax.statistics.universality import universality
from repjax.storage.results import CellResults

_FLAGS = flags.FlagValues()
_RUNS = flags.DEFINE_string(
    "runs", "1000,10000", "Numbers of runs of the cell.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "File of the rows.", flag_values=_FLAGS)
_ALONE = flags.DEFINE_bool(
    "alone", False, "Measure in this process and print JSON.", flag_values=_FLAGS
)

GROUP = "D12"
NUM_EVALUATIONS = 100
PARTS = ("law", "story", "json", "page")
COLUMNS = (
    *("runs", *PARTS, "seconds", "cpu_seconds", "peak_gb", "json_mb", "page_mb"),
    "others",
)


def main() -> None:
    """Measure all rows and report them."""
    counts = timing.numbers("runs", _RUNS.value)
    if _ALONE.value:
        print(json.dumps(measure(counts[0])))
        return
    rows = (row(runs) for runs in counts)
    timing.report(timing.measured(rows, COLUMNS, _OUT.value), COLUMNS, _OUT.value)


def row(runs: int) -> dict[str, Any]:
    """Measure one row in a process of its own."""
    command = [sys.executable, __file__, "--alone", f"--runs={runs}"]
    with timing.Bystanders() as others:
        done = subprocess.run(command, capture_output=True, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"others": others.share}


def measure(runs: int) -> dict[str, Any]:
    """Return the seconds of each part, and the peak memory of this process."""
    seconds: dict[str, float] = {}
    results, energies = made_up(runs)
    cpu = time.process_time()

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[part] = time.perf_counter() - start

    group = build_group(GROUP)
    irreps = real_irreps(group)
    characters = np.stack([irrep.character for irrep in irreps])
    with timed("law"):
        past = courses(results)
        symmetry = Symmetry(irrep_permutations(group, characters))
        law = select(results, past, symmetry, energies=energies)
    with timed("story"):
        types = tuple(irrep.type for irrep in irreps)
        story = Story(
            name=results.cell.name,
            order=group.order,
            types=types,
            results=results,
            courses=past,
            universality=universality(results),
            anatomies={},
            selection=law,
        )
        member = Member(story.name, results, group.order, types)
        report = Report((story,), periodic_table([member]), {})
    with tempfile.TemporaryDirectory() as folder:
        with timed("json"):
            (numbers,) = write_analysis(report, Path(folder))
        with timed("page"):
            page = write_page(
                report, write_figures(report, Path(folder), 0), Path(folder)
            )
        sizes = [path.stat().st_size / 1e6 for path in (numbers, page)]
    return {
        "runs": runs,
        **seconds,
        "seconds": sum(seconds.values()),
        "cpu_seconds": time.process_time() - cpu,
        "peak_gb": timing.peak_gigabytes(),
        "json_mb": sizes[0],
        "page_mb": sizes[1],
    }


def made_up(runs: int) -> tuple[CellResults, dict[str, np.ndarray]]:
    """Return the trajectories of a cell that nobody trained, and initial energies."""
    generator = np.random.default_rng(0)
    config = get_config()
    config.groups, config.architectures = (GROUP,), ("mlp",)
    config.overrides, config.num_seeds = (), runs
    (cell,) = expand(from_config_dict(config))
    irreps = real_irreps(build_group(GROUP))
    steps = np.unique(np.geomspace(1, 10**5, 2 * NUM_EVALUATIONS).astype(int))
    steps = np.append(0, steps)[:NUM_EVALUATIONS]
    shape = (runs, len(steps))
    time_ = np.linspace(0, 1, len(steps), dtype=np.float32)
    metrics = {
        name: generator.random(shape, np.float32)
        for name in (*SCALARS, *EXPLAINED, *COUNTS)
    }
    metrics |= {
        name: generator.random((*shape, len(irreps)), np.float32) for name in PER_IRREP
    }
    start = 0.3 + 0.4 * generator.random((runs, 1))
    late = generator.random((runs, 1)) < 0.1
    metrics["train_accuracy"] = (time_ > 0.2) * np.ones(shape, np.float32)
    metrics["test_accuracy"] = ((time_ > start + 0.2) & ~late).astype(np.float32)
    metrics["trained_steps"] = np.tile(steps.astype(np.float32), (runs, 1))
    is_key = generator.random((runs, len(irreps))) < 0.4
    learned = time_[:, None] > start[:, :, None] + 0.2 * generator.random(
        (runs, 1, len(irreps))
    )
    height = 0.1 + 0.2 * generator.random((runs, 1, len(irreps)))
    metrics["logit_similarity"] = (is_key[:, None] * learned * height).astype(
        np.float32
    )
    metrics["cluster_neurons"][:, -1] = is_key * generator.integers(
        2, 40, size=is_key.shape
    )
    energies = {
        f"{of}_{table}": generator.gamma(20, size=is_key.shape) * (1 + 0.1 * is_key)
        for of in ("energy", "gradient")
        for table in ("w_a", "w_b", "w_u")
    }
    names = tuple(irrep.name for irrep in irreps)
    dims = tuple(irrep.dim for irrep in irreps)
    return CellResults(cell, names, dims, steps, metrics), energies


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
