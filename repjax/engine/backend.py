"""Configure JAX at start-up: devices, compilation cache, compiler options."""

import contextlib
import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import jax

from repjax.engine import limits
from repjax.settings.rules import ConfigError

CACHED_FROM_SECONDS = 0.3
"""Shortest compilation, in seconds, whose program is cached on disk."""

_RECORDED = "xla_gpu_enable_command_buffer"
_HASTY = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
_WIDE = {"xla_cpu_prefer_vector_width": 512}


def prepare() -> None:
    """Make every core of the host a device, and cache compiled programs on disk.

    Call this before JAX is first used. The environment variables JAX_NUM_CPU_DEVICES,
    JAX_COMPILATION_CACHE_DIR and XLA_FLAGS take precedence.
    """
    one_device_per_core()
    record_loops()
    keep_compilations()


def require_devices() -> None:
    """Start JAX on its devices.

    Call this after `prepare` and, on several hosts, after they have joined.

    Raises:
        ConfigError: the device does not exist, or its driver or plugin does not load.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError, ImportError, OSError) as error:
        asked = os.environ.get("JAX_PLATFORMS") or "not set"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"JAX_PLATFORMS: {asked}: no such device can be used "
            f"({reason[:300]}); set JAX_PLATFORMS=cpu, or install support "
            "for the device, such as pip install 'repjax[gpu]'"
        ) from None


def one_device_per_core() -> None:
    """Make every core that this process may use a device.

    XLA runs one of these small programs on little more than one core (on 2 cores, two
    devices train 2.0 times as many steps a second as one), so runs are spread over
    cores as over accelerators.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        # In a notebook JAX may have started already, and keeps its devices.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", limits.num_cores())


def record_loops() -> None:
    """Let NVIDIA GPUs record whole loops in command buffers, also called CUDA graphs.

    Small ensembles wait for the launches of kernels: on an H200, 4 A5 MLPs then take
    0.88 of the time.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _has_nvidia_gpu() and _RECORDED not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_RECORDED}=+WHILE,+CONDITIONAL".strip()


def _has_nvidia_gpu() -> bool:
    """Return whether JAX may find an NVIDIA GPU, without starting JAX."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def keep_compilations() -> None:
    """Cache compiled programs on disk for later calls, in ~/.cache/repjax.

    JAX keeps what autotuning found for each fusion of a GPU in the same folder, so it
    is not repeated for other programs either (`jax_persistent_cache_enable_xla_caches`
    is left at its default, "xla_gpu_per_fusion_autotune_cache_dir").

    Each kind of processor has its own folder, because machines with different
    instruction sets may share a home directory.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        kind = hashlib.sha256(processor().encode()).hexdigest()[:12]
        jax.config.update("jax_compilation_cache_dir", str(Path(home, "repjax", kind)))
        if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
            jax.config.update(
                "jax_persistent_cache_min_compile_time_secs", CACHED_FROM_SECONDS
            )


def hasty_options() -> dict[str, int | bool]:
    """Return XLA options that shorten compilation, for programs that run for seconds.

    On a CPU the metrics in tables then compile in 4.9 instead of 7.8 CPU seconds for an
    S5 transformer, in 2.8 instead of 5.9 for an S6 MLP, and both run as fast. With
    level 0 the latter would run 5 times slower.
    """
    return _on_cpu(tuple(_HASTY.items()))


def training_options() -> dict[str, int | bool]:
    """Return XLA options for programs that run for hours; empty if unsupported.

    By default XLA uses only half of a CPU's 512-bit vectors. The full width makes a
    step of the S5 MLP 7 % faster, mostly in the loss.
    """
    return _on_cpu(tuple(_WIDE.items()))


@cache
def _on_cpu(options: tuple[tuple[str, int | bool], ...]) -> dict[str, int | bool]:
    """Return the options on a CPU whose XLA supports them, else an empty dict."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x + 1, compiler_options=dict(options))(1.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return dict(options)


def device_kind() -> str:
    """Return JAX's name of its devices: "cpu", "NVIDIA H100 PCIe", "TPU v4"."""
    return jax.devices()[0].device_kind


def processor() -> str:
    """Return the name of the host's processor as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
