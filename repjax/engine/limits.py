"""Cores and memory that this process may use of its host.

Clusters and containers give a job less than the machine has, by control groups of
Linux; what they say is in files, one group inside the other.
"""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def num_cores() -> int:
    """Whole cores: by affinity, or fewer by quota. macOS and Windows know neither."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    quotas = [1.0 * cores]
    for group in _control_groups("cpu"):
        for quota, period in (_of_version_2(group), _of_version_1(group)):
            if quota > 0 and period > 0:
                quotas.append(quota / period)
    return max(1, int(min(quotas)))


def memory() -> int | None:
    """Bytes: those of the host, or fewer; None on Windows, where nobody says."""
    if not hasattr(os, "sysconf"):
        return None
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for group in _control_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [limit for limit in _numbers(group / name) if limit > 0]
    return min(limits)


def _of_version_2(group: Path) -> tuple[int, int]:
    """Microseconds of processor time in each period, and its length; 0 if no limit."""
    found = _numbers(group / "cpu.max")
    return (found[0], found[1]) if len(found) == 2 else (0, 0)


def _of_version_1(group: Path) -> tuple[int, int]:
    quota = _numbers(group / "cpu.cfs_quota_us")  # -1 if there is no limit
    period = _numbers(group / "cpu.cfs_period_us")
    return (quota[0], period[0]) if quota and period else (0, 0)


def _control_groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in, of both versions."""
    try:
        lines = (ROOT / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        top = ROOT / "sys/fs/cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            top /= controllers
        # In a container the name may be the host's, and only the top be there.
        group = top / name.lstrip("/")
        yield group
        yield from (above for above in group.parents if above.is_relative_to(top))


def _numbers(path: Path) -> list[int]:
    """The numbers in a file; none if one of its words is no number, or it is absent."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
