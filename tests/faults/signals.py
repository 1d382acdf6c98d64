"""Stops a sweep again and again (SIGTERM, SIGINT) and compares its end.

python tests/faults/signals.py --count=20

Signals come while the program starts, trains, evaluates and saves. Each must end it
with exit code 75 within `max_chunk_seconds` plus the time of one evaluation, one save
and the end of a process, for which --allowance is granted; the next process must go on
from the very step at which it stopped.
"""

import argparse
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults.program import (
    UNDISTURBED,
    Sweep,
    differences,
    outcome,
    starts,
    wait_until,
)

SHARE_WHILE_STARTING = 0.2
SECONDS_AFTER = 1.5
"""A signal comes at most so long after training (or the program) has begun."""

_STOPPED = re.compile(r"^repjax: stopped at step (\d+) of ([\w, ]+);", re.MULTILINE)


@dataclass
class Report:
    """What the signals did."""

    sigterms: int = 0
    wrong_exits: int = 0
    lost: int = 0
    sweeps: int = 0
    different: int = 0
    reactions: list[float] = field(default_factory=list)


def run(sweep: Sweep, count: int, seed: int) -> Report:
    """So many SIGTERMs, with a SIGINT for three of them, then the end of the sweep."""
    sweep.finish(UNDISTURBED)
    wanted = outcome(sweep.workdir(UNDISTURBED))
    rng, report = random.Random(seed), Report()
    while report.sigterms < count:
        name = f"stopped{report.sweeps}"
        _stop_until_done(sweep, name, count, rng, report)
        report.sweeps += 1
        for part in differences(wanted, sweep.workdir(name)):
            print(f"{name}: {part} differs")
            report.different += 1
    return report


def _stop_until_done(
    sweep: Sweep, name: str, count: int, rng: random.Random, report: Report
) -> None:
    stopped: dict[str, int] = {}
    while True:
        log = sweep.folder / f"{name}.{len(report.reactions)}.log"
        process = sweep.start(name, log)
        sent = report.sigterms < count and _stop(process, log, rng, report)
        code = process.wait(timeout=3600)
        text = log.read_text()
        for cell, step in starts(text):
            if step < stopped.get(cell, 0):
                print(f"{cell} went on from {step}, was stopped at {stopped[cell]}")
                report.lost += 1
        if not sent:
            if code:
                raise AssertionError(f"exit code {code}:\n{text}")
            return
        stopped |= {cell: int(step) for step, cell in _STOPPED.findall(text)}
        if code != 75 or "call again to go on" not in text or "Traceback" in text:
            print(f"exit code {code}:\n{text}")
            report.wrong_exits += 1


def _stop(
    process: subprocess.Popen[bytes], log: Path, rng: random.Random, report: Report
) -> bool:
    """Sends a signal at a moment drawn; False if the end came before it."""
    number = rng.choices([signal.SIGTERM, signal.SIGINT], [3, 1])[0]
    starting = rng.random() < SHARE_WHILE_STARTING
    delay = rng.uniform(0.0, SECONDS_AFTER)
    ready = (
        (lambda: _is_ready(process.pid))
        if starting
        else (lambda: any(starts(log.read_text())))
    )
    if not wait_until(ready, process):
        return False
    time.sleep(delay)
    if process.poll() is not None:
        return False
    sent_at = time.monotonic()
    process.send_signal(number)
    code = process.wait(timeout=3600)
    if code == 0:  # it had done its work
        return False
    report.sigterms += number is signal.SIGTERM
    report.reactions.append(time.monotonic() - sent_at)
    when = "starting" if starting else "training"
    print(
        f"{number.name} {len(report.reactions)} while {when}: exit code {code} after "
        f"{report.reactions[-1]:.2f} s",
        flush=True,
    )
    return True


def _is_ready(pid: int) -> bool:
    """Whether a process has a handler of SIGTERM.

    Until it has read its own code, for about a second, it ends as Python does.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
    bit = signal.SIGTERM - 1
    return caught is not None and bool(int(caught[1], 16) >> bit & 1)


def main() -> int:
    """Exit code 0 if every signal was answered rightly and in time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--count", type=int, default=20, help="SIGTERMs (20); SIGINTs come beside them"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument(
        "--allowance", type=float, default=5.0, help="seconds beyond a chunk (5)"
    )
    arguments = parser.parse_args()
    # A shell starts what runs in its background with SIGINT ignored, children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep(Path(folder), every_seconds=3600.0, max_chunk_seconds=0.5)
        report = run(sweep, arguments.count, arguments.seed)
    bound = sweep.max_chunk_seconds + arguments.allowance
    slowest = max(report.reactions)
    print(f"{report.sweeps} sweeps, {report.wrong_exits} exit codes other than 75")
    print(f"slowest reaction {slowest:.2f} s, bound {bound:.1f} s")
    equal = "not identical" if report.different else "identical"
    interrupts = len(report.reactions) - report.sigterms
    sent = f"{report.sigterms} SIGTERMs and {interrupts} SIGINTs"
    print(f"{sent}, {report.lost} lost, {equal}")
    faults = report.wrong_exits or report.lost or report.different
    return int(bool(faults or slowest > bound))


if __name__ == "__main__":
    sys.exit(main())
