import os

import pytest

from repjax.engine import limits

AFFINITY, HOST = 16, 64 * 2**30


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A host of 16 cores and 64 GiB whose files are in a folder."""
    monkeypatch.setattr(limits, "ROOT", tmp_path)
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda _: range(AFFINITY), raising=False
    )
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": HOST // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    return tmp_path


def test_without_groups_it_is_the_host(root):
    assert (limits.num_cores(), limits.memory()) == (AFFINITY, HOST)
    write(root / "proc/self/cgroup", "0::/\n")
    assert (limits.num_cores(), limits.memory()) == (AFFINITY, HOST)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 16), ("250000 100000", 2), ("50000 100000", 1), ("9900000 1", 16)],
)
def test_version_2(root, quota, cores):
    """As Slurm sets it: limits of the job, above the step that the process is in."""
    groups = root / "sys/fs/cgroup"
    write(root / "proc/self/cgroup", "0::/slurm/job_7/step_0\n")
    write(groups / "slurm/job_7/step_0/memory.max", "max\n")
    write(groups / "slurm/job_7/memory.max", f"{8 * 2**30}\n")
    write(groups / "slurm/job_7/cpu.max", quota + "\n")
    assert (limits.num_cores(), limits.memory()) == (cores, 8 * 2**30)


def test_version_1(root):
    """As in a container: the name is the host's, the limits are at the top."""
    names = ("5:memory:/docker/0a1b", "4:cpu,cpuacct:/docker/0a1b", "1:name=systemd:/")
    write(root / "proc/self/cgroup", "\n".join(names) + "\n")
    groups = root / "sys/fs/cgroup"
    write(groups / "memory/memory.limit_in_bytes", f"{4 * 2**30}\n")
    write(groups / "cpu,cpuacct/cpu.cfs_quota_us", "300000\n")
    write(groups / "cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert (limits.num_cores(), limits.memory()) == (3, 4 * 2**30)


def test_no_limit_in_version_1(root):
    write(root / "proc/self/cgroup", "5:memory:/\n4:cpu:/\n")
    groups = root / "sys/fs/cgroup"
    write(groups / "memory/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    write(groups / "cpu/cpu.cfs_quota_us", "-1\n")
    write(groups / "cpu/cpu.cfs_period_us", "100000\n")
    assert (limits.num_cores(), limits.memory()) == (AFFINITY, HOST)
