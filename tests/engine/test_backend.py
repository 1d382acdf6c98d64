import os
import subprocess
import sys
from pathlib import Path

import pytest

from repjax.engine import backend, limits

ROOT = Path(__file__).parents[2]
STARTED = """
import jax
from repjax.engine import backend
backend.prepare()
jax.jit(lambda x: x @ x)(jax.numpy.ones((8, 8)))
print(jax.local_device_count(), jax.config.jax_compilation_cache_dir)
"""


def started(home, **environment):
    """Number of devices and compilation cache of a process that `prepare` began."""
    variables = {"HOME": str(home), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=ROOT,
        env=inherited | variables | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    count, cache = done.stdout.split()
    return int(count), Path(cache)


def test_cores_are_devices_and_programs_are_kept(tmp_path):
    count, cache = started(tmp_path)
    assert count == limits.num_cores()
    assert cache.parent == tmp_path / ".cache" / "repjax"
    assert list(cache.iterdir()), "nothing was kept"


def test_the_environment_stands_above(tmp_path):
    count, cache = started(
        tmp_path,
        JAX_NUM_CPU_DEVICES="3",
        JAX_COMPILATION_CACHE_DIR=str(tmp_path / "elsewhere"),
    )
    assert count == 3
    assert cache == tmp_path / "elsewhere"
    assert list(cache.iterdir()), "nothing was kept"


@pytest.mark.parametrize("platform", ["cuda", "tpu", "nothing"])
def test_a_device_that_is_not_there_is_one_line(platform, tmp_path):
    """A subprocess: here JAX has started already."""
    command = [sys.executable, "-m", "repjax.main", f"--workdir={tmp_path}"]
    settings = ["--config=experiments/quickstart.py", "--config.groups=C5"]
    done = subprocess.run(
        [*command, *settings, "--config.num_steps=1"],
        env=os.environ | {"JAX_PLATFORMS": platform},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("repjax:")]
    assert f"JAX_PLATFORMS: {platform}: no such device" in line
    assert "set JAX_PLATFORMS=cpu" in line and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("gpu", "before", "after"),
    [
        (False, "", ""),
        (True, "", "--xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL"),
        (True, "--a", "--a --xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL"),
        (
            True,
            "--xla_gpu_enable_command_buffer= --a",
            "--xla_gpu_enable_command_buffer= --a",
        ),
    ],
)
def test_loops_are_recorded_on_gpus_unless_the_user_says_how(
    monkeypatch, gpu, before, after
):
    monkeypatch.setattr(backend, "_has_nvidia_gpu", lambda: gpu)
    monkeypatch.setenv("XLA_FLAGS", before)
    backend.record_loops()
    assert os.environ["XLA_FLAGS"] == after


def test_xla_knows_the_option_for_loops():
    """A process with an option that XLA does not know ends at once."""
    code = """
from repjax.engine import backend
backend._has_nvidia_gpu = lambda: True
backend.prepare()
import jax
print(jax.numpy.ones(2))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "XLA_FLAGS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[1.", "1.]"]
