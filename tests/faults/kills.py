"""Kills a sweep again and again (`kill -9`) and compares its end with a quiet one.

python tests/faults/kills.py --count=50

Moments are drawn: while the program starts, trains and evaluates, saves, and writes
trajectories and tables. After each kill the program must go on from the newest whole
checkpoint. When a sweep comes to its end before all kills are done, a new one begins.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from repjax.storage.rounds import round_of
from tests.faults.program import (
    UNDISTURBED,
    Sweep,
    checkpoint_folders,
    checkpoint_steps,
    differences,
    outcome,
    starts,
    wait_until,
)

MOMENTS = {"start": 2, "train": 6, "save": 9, "results": 3}
"""When to kill, and how often of 20 times."""

SECONDS_TO_START = 4.0
SECONDS_BETWEEN_SAVES = 0.8
SECONDS_AFTER = {"train": 0.6, "save": 0.12, "results": 0.12}
"""The kill follows at most so long after what it waits for."""


@dataclass
class Report:
    """What the kills did."""

    kills: int = 0
    lost: int = 0
    sweeps: int = 0
    different: int = 0
    not_used: int = 0
    seconds_lost: float = 0.0
    phases: Counter[str] = field(default_factory=Counter)

    @property
    def verdict(self) -> str:
        """The last line."""
        equal = "not identical" if self.different or not self.sweeps else "identical"
        return f"{self.kills} kills, {self.lost} lost, {equal}"

    def lines(self) -> Iterator[str]:
        """All lines."""
        yield f"{self.sweeps} sweeps, each compared with the undisturbed one"
        for phase, count in self.phases.most_common():
            yield f"{count:4} kills {phase}"
        yield f"{self.not_used:4} half-written checkpoints named and set aside"
        yield f"at most {self.seconds_lost:.2f} s since the newest checkpoint at a kill"
        yield self.verdict


def run(sweep: Sweep, count: int, seed: int) -> Report:
    """So many kills of `sweep`, then its end."""
    sweep.finish(UNDISTURBED)
    wanted = outcome(sweep.workdir(UNDISTURBED))
    rng, report = random.Random(seed), Report()
    while report.kills < count:
        name = f"killed{report.sweeps}"
        _kill_until_done(sweep, name, count, rng, report)
        report.sweeps += 1
        for part in differences(wanted, sweep.workdir(name)):
            print(f"{name}: {part} differs")
            report.different += 1
    return report


def _kill_until_done(
    sweep: Sweep, name: str, count: int, rng: random.Random, report: Report
) -> None:
    """One sweep to its end; when all kills are done it is left in peace."""
    workdir = sweep.workdir(name)
    while True:
        log = sweep.folder / f"{name}.{report.kills}.log"
        saved, unfinished = _saved(workdir), _unfinished(workdir)
        process = sweep.start(name, log)
        killed = report.kills < count and _kill(process, workdir, log, rng)
        code = process.wait(timeout=3600)
        text = log.read_text()
        report.lost += _count_lost(text, saved)
        report.not_used += text.count(" is not used: ")
        if not killed:
            if code:
                raise AssertionError(f"exit code {code}:\n{text}")
            return
        report.kills += 1
        phase = _phase(workdir, text, unfinished)
        report.phases[phase] += 1
        if phase.startswith(("in training", "in a save")) and _saved(workdir) != saved:
            ages = [
                time.time() - path.stat().st_mtime
                for folder in checkpoint_folders(workdir)
                for path in folder.glob("*.sha256.json")
            ]
            report.seconds_lost = max(report.seconds_lost, min(ages, default=0.0))
        print(f"kill {report.kills}: {phase}", flush=True)


def _kill(
    process: subprocess.Popen[bytes], workdir: Path, log: Path, rng: random.Random
) -> bool:
    """Kills the process at a moment drawn; False if it came to its end before."""
    (moment,) = rng.choices([*MOMENTS], [*MOMENTS.values()])
    if moment == "start":
        delay = rng.uniform(0.0, SECONDS_TO_START)
    else:
        delay = rng.uniform(0.0, SECONDS_AFTER[moment])
        finished = len([*workdir.glob("*/trajectory.npz")])
        conditions = {
            "train": lambda: True,
            "save": lambda: any(_half_saved(workdir)),
            "results": lambda: len([*workdir.glob("*/trajectory.npz")]) > finished,
        }
        if not wait_until(lambda: any(starts(log.read_text())), process):
            return False
        if moment == "save":  # any save, not the first of every process
            time.sleep(rng.uniform(0.0, SECONDS_BETWEEN_SAVES))
        if not wait_until(conditions[moment], process):
            return False
    time.sleep(delay)
    if process.poll() is not None:
        return False
    process.kill()
    return process.wait() == -9


def _saved(workdir: Path) -> dict[str, int | None]:
    """Round → step of its newest whole checkpoint, None once it is finished."""
    saved: dict[str, int | None] = {}
    for path in workdir.glob("*/config.json"):
        past = round_of(path.parent)
        if past is None:
            continue
        steps = checkpoint_steps(past.directory)
        if all((workdir / c.name / "trajectory.npz").exists() for c in past.cells):
            saved[past.name] = None
        elif steps:
            saved[past.name] = steps[-1]
    return saved


def _count_lost(log: str, saved: dict[str, int | None]) -> int:
    """Rounds that a process began behind what was saved before it started."""
    lost = 0
    for name, step in starts(log):
        before = saved.get(name, 0)
        if before is None or step < before:
            print(f"{name} went on from step {step}; saved were {before or 'all'}")
            lost += 1
    return lost


def _unfinished(workdir: Path) -> set[Path]:
    """Everything below that a kill may leave behind: folders and files half-written."""
    return {*_half_saved(workdir), *workdir.rglob(".*.tmp")}


def _half_saved(workdir: Path) -> Iterator[Path]:
    """Checkpoints whose arrays are being written, or were when a kill came."""
    for folder in checkpoint_folders(workdir):
        yield from folder.glob("*.orbax-checkpoint-tmp*")


def _phase(workdir: Path, log: str, before: set[Path]) -> str:
    """What a process was at when it was killed, as the files tell.

    Args:
        workdir: where it trained.
        log: what it said.
        before: what earlier kills had left unfinished when it began.
    """
    if not any(starts(log)):
        return "before training: imports, checks, restore"
    left = {path.suffix for path in _unfinished(workdir) - before}
    if any(suffix != ".tmp" for suffix in left):
        return "in a save, arrays half-written"
    for path in checkpoint_folders(workdir):
        steps = {int(step.name) for step in path.iterdir() if step.name.isdecimal()}
        if steps - set(checkpoint_steps(path.parent)):
            return "in a save, between arrays and digest"
    if left:
        return "in the writing of a trajectory or table"
    done = {path.parent.name for path in workdir.glob("*/trajectory.npz")}
    seeds = workdir / "seeds.csv"
    rows = seeds.read_text().splitlines()[1:] if seeds.exists() else []
    if done - {"_".join(row.split(",")[:2]) for row in rows}:
        return "between the end of a cell and its tables"
    return "in training or an evaluation"


def main() -> int:
    """Exit code 0 if nothing was lost and everything is identical."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50, help="kills (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(Sweep(Path(folder)), arguments.count, arguments.seed)
    print(*report.lines(), sep="\n")
    return int(bool(report.lost or report.different))


if __name__ == "__main__":
    sys.exit(main())
