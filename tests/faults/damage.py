"""Damages checkpoints of a sweep, one file at a time, and lets it go on.

python tests/faults/damage.py --count=20

So many flipped bits and as many truncations, half of them to a round of one cell and
half to one of two, each in a copy of a workdir stopped in its last round: in a file
drawn from the newest checkpoint (its digest included) at a place drawn. The program
must name the checkpoint, go on from the one before it, and end with the tables and
weights of a workdir that was never damaged.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
from dataclasses import astuple, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

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

KINDS = ("flipped bit", "truncation")


@dataclass
class Report:
    """What became of the damages."""

    done: int = 0
    silent: int = 0
    not_gone_on: int = 0
    different: int = 0

    def plus(self, other: "Report") -> "Report":
        """Both together."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Report(*(mine + theirs for mine, theirs in pairs))


def run(sweep: Sweep, count: int, seed: int) -> Report:
    """`count` damages of each kind."""
    sweep.finish(UNDISTURBED)
    wanted = outcome(sweep.workdir(UNDISTURBED))
    folder = _stop_in_last_round(sweep)
    rng, report = random.Random(seed), Report()
    for kind in KINDS * count:
        name = f"damaged{report.done}"
        shutil.copytree(sweep.workdir("original"), sweep.workdir(name))
        directory = sweep.workdir(name) / folder
        before, newest = checkpoint_steps(directory)[-2:]
        where = _damage(directory / "checkpoints", newest, kind, rng)
        log = sweep.finish(name)
        report.done += 1
        named = f"{directory / 'checkpoints' / str(newest)} is not used: " in log
        gone_on = before in [step for _, step in starts(log)]
        report.silent += not named
        report.not_gone_on += not gone_on
        for part in differences(wanted, sweep.workdir(name)):
            print(f"{name}: {part} differs")
            report.different += 1
        told = re.findall(r" is not used: (.*);", log)
        print(f"{kind} {where}: {', '.join(told) or 'silent'}", flush=True)
        shutil.rmtree(sweep.workdir(name))
    return report


def _stop_in_last_round(sweep: Sweep) -> Path:
    """Kills the workdir `original` when its last round has two checkpoints; its folder.

    The last round is that of the last architecture.
    """
    architecture = sweep.architectures.split(",")[-1]
    # All else is there. Saved after every millisecond of training, it does not end on
    # any machine before it is killed.
    shutil.copytree(
        sweep.workdir(UNDISTURBED),
        sweep.workdir("original"),
        ignore=shutil.ignore_patterns(f"*_{architecture}", f"order*_{architecture}_*"),
    )
    hasty = replace(sweep, every_seconds=0.0, max_chunk_seconds=0.001)
    process = hasty.start("original", sweep.folder / "original.log")

    def saved() -> list[Path]:
        folders = checkpoint_folders(sweep.workdir("original"))
        return [f.parent for f in folders if f.parent.match(f"*_{architecture}*")]

    far_enough = wait_until(
        lambda: any(len(checkpoint_steps(folder)) >= 2 for folder in saved()), process
    )
    assert far_enough, (sweep.folder / "original.log").read_text()
    process.kill()
    process.wait()
    (directory,) = saved()
    # A save that the kill cut off is no damage of ours: it is cleared away first.
    steps = checkpoint_steps(directory)
    for path in (directory / "checkpoints").iterdir():
        if path.is_dir() and path.name not in map(str, steps):
            shutil.rmtree(path)
    assert len(steps) >= 2, steps
    return directory.relative_to(sweep.workdir("original"))


def _damage(checkpoints: Path, step: int, kind: str, rng: random.Random) -> str:
    """Damages one file of a checkpoint; where."""
    files = [path for path in (checkpoints / str(step)).rglob("*") if path.is_file()]
    files = [*filter(lambda path: path.stat().st_size, sorted(files))]
    path = rng.choice([*files, checkpoints / f"{step}.sha256.json"])
    content = bytearray(path.read_bytes())
    # The last byte of a digest is the end of its line, which says nothing.
    position = rng.randrange(max(len(content) - 1, 1))
    if kind == "truncation":
        del content[position:]
    else:
        content[position] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"at byte {position} of {path.relative_to(checkpoints)}"


def main() -> int:
    """Exit code 0 if all was detected and nothing came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="of each kind (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the places (0)")
    arguments = parser.parse_args()
    report, shares = (
        Report(),
        (arguments.count - arguments.count // 2, arguments.count // 2),
    )
    for groups, count in zip(("S3", "S3,C6"), shares, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            found = run(Sweep(Path(folder), groups=groups), count, arguments.seed)
        report = report.plus(found)
    equal = "not identical" if report.different else "identical"
    if report.not_gone_on:
        print(f"{report.not_gone_on} did not go on from the checkpoint before")
    print(
        f"{arguments.count} flipped bits and {arguments.count} truncations, "
        f"{report.silent} silent, {equal}"
    )
    return int(bool(report.silent or report.not_gone_on or report.different))


if __name__ == "__main__":
    sys.exit(main())
