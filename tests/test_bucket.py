"""A workdir in a bucket is one like any other: locked, resumed, repaired, tabulated."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from etils.epath.stat_utils import StatResult

from repjax.storage.files import version
from tests.bucket import Objects
from tests.conftest import REPOSITORY
from tests.faults.program import RESULTS, Sweep, wait_until

WORKDIR = "gs://bucket/folder/w"
SWEEP = {"groups": "S3,C6", "architectures": "mlp", "num_steps": 10_000}
# Two cells of one order are a round, with its checkpoints in a folder of its own.
DIGESTS = re.compile(r"bucket/folder/w/(programs/\w+)/checkpoints/(\d+)\.sha256\.json")
# A checkpoint after every millisecond of training: on no machine does it end in time.
SLOW = ("--config.max_chunk_seconds=0.001", "--config.checkpoint.every_seconds=0")


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory) -> dict[str, bytes]:
    """The results of the sweep, by name."""
    sweep = Sweep(tmp_path_factory.mktemp("disk"), **SWEEP)
    assert sweep.finish("w")
    return {name: (sweep.workdir("w") / name).read_bytes() for name in RESULTS}


def start(bucket: Path, program: str, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bucket", program, *flags],
        cwd=REPOSITORY,
        env=os.environ | {"FOLDER": str(bucket), "JAX_NUM_CPU_DEVICES": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def whole_steps(objects: Objects) -> list[int]:
    return sorted(int(found[2]) for name in objects if (found := DIGESTS.match(name)))


class InBucket(type(Path())):
    """A path whose statistics are etils' own, as those of paths in buckets are."""

    def stat(self):
        return StatResult(is_directory=False, length=7, mtime=5)


def test_a_change_of_a_file_is_seen_on_a_disk_and_in_a_bucket(tmp_path):
    assert version(InBucket("w/programs/x/cells.json")) == (5, 7)
    file = tmp_path / "cells.json"
    file.write_text("[]")
    assert version(file) == (file.stat().st_mtime, 2)


def test_shared_stopped_damaged_and_gone_on(on_disk, tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    objects = Objects(bucket)
    flags = [*Sweep(tmp_path, **SWEEP).flags("w")[:-1], f"--workdir={WORKDIR}"]
    first = start(bucket, "repjax.main", *flags, *SLOW)
    wait_until(lambda: len(whole_steps(objects)) > 1, first)
    directory = next(found[1] for name in objects if (found := DIGESTS.match(name)))
    checkpoints = f"bucket/folder/w/{directory}/checkpoints/"
    second = start(bucket, "repjax.main", *flags)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 75, said
    assert f"{WORKDIR}/{directory}: held by process {first.pid} on " in said
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate(timeout=300)
    assert first.returncode == 75, said

    before, newest = whole_steps(objects)
    name = next(name for name in objects if name.startswith(f"{checkpoints}{newest}/"))
    objects[name] = objects[name][:-1]
    third = start(bucket, "repjax.main", *flags)
    said, _ = third.communicate(timeout=300)
    assert third.returncode == 0, said
    assert f"{WORKDIR}/{directory}/checkpoints/{newest} is not used: " in said
    assert f"resumed at step {before:,}" in said
    assert any(name.startswith(f"{checkpoints}damaged/{newest}/") for name in objects)
    assert {name: objects[f"bucket/folder/w/{name}"] for name in RESULTS} == on_disk
    assert not [name for name in objects if "tmp" in name]

    out = tmp_path / "out"
    fourth = start(bucket, "repjax.table3", f"--workdir={WORKDIR}", f"--out={out}")
    said, _ = fourth.communicate(timeout=300)
    assert fourth.returncode == 0, said
    assert {name: (out / name).read_bytes() for name in RESULTS} == on_disk
