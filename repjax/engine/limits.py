"""Cores and memory that this process may use of its host.

Clusters and containers limit a job by Linux control groups. These are nested folders
with the limits in files.
"""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def num_cores() -> int:
    """Return the number of whole cores, by affinity and quota (Linux only)."""
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
    """Return the memory in bytes, at most the host's; None on Windows (unknown)."""
    if not hasattr(os, "sysconf"):
        return None
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for group in _control_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [limit for limit in _numbers(group / name) if limit > 0]
    return min(limits)


def _of_version_2(group: Path) -> tuple[int, int]:
    """Return processor time in a period and its length in µs; 0 if no limit."""
    found = _numbers(group / "cpu.max")
    return (found[0], found[1]) if len(found) == 2 else (0, 0)


def _of_version_1(group: Path) -> tuple[int, int]:
    quota = _numbers(group / "cpu.cfs_quota_us")  # -1 if there is no limit
    period = _numbers(group / "cpu.cfs_period_us")
    return (quota[0], period[0]) if quota and period else (0, 0)


def _control_groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the groups of this process, in both versions."""
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
        # In a container the name may be the host's, and only the top exist.
        group = top / name.lstrip("/")
        yield group
        yield from (above for above in group.parents if above.is_relative_to(top))


def _numbers(path: Path) -> list[int]:
    """Return the integers in a file; none if it is absent or holds other words."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
