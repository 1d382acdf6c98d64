"""Configure JAX at start-up: devices, compilation cache, compiler options."""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import jax

from repjax.engine import limits
from repjax.settings.rules import ConfigError

CACHED_FROM_SECONDS = 0.3
"""Programs that compile for at least so long are kept on disk."""

_HASTY = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
_WIDE = {"xla_cpu_prefer_vector_width": 512}


def prepare() -> None:
    """Makes every core of the host a device, and keeps compiled programs on disk.

    To be called by a program before JAX is first used. The environment variables
    JAX_NUM_CPU_DEVICES and JAX_COMPILATION_CACHE_DIR stand above it.
    """
    one_device_per_core()
    keep_compilations()


def require_devices() -> None:
    """Start JAX on its devices.

    To be called after `prepare` and, on several hosts, after they were joined.

    Raises:
        ConfigError: there is no such device, or its driver or plugin does not load.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError, ImportError, OSError) as error:
        asked = os.environ.get("JAX_PLATFORMS") or "not set"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"JAX_PLATFORMS: {asked}: no such device can be used "
            f"({reason[:300]}); set JAX_PLATFORMS=cpu, or install what the "
            "device needs, such as pip install -e '.[gpu]'"
        ) from None


def one_device_per_core() -> None:
    """Makes every core that this process may use a device.

    XLA runs one of these small programs on little more than one core (on 2 cores, two
    devices train 2.0 times as many steps a second as one), so runs are spread over
    cores as over accelerators.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", limits.num_cores())


def keep_compilations() -> None:
    """Compiled programs are found again by the next call, in ~/.cache/repjax.

    In a folder for each kind of processor: a home directory may be shared by machines
    of which one does not know the instructions of the other.
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

    On a CPU what tables show of an S5 transformer then compiles in 4.9 CPU seconds, not
    7.8, of an S6 MLP in 2.8, not 5.9, and both run as fast. With level 0 S6 would run 5
    times slower.
    """
    return _on_cpu(tuple(_HASTY.items()))


def training_options() -> dict[str, int | bool]:
    """Options of XLA for programs that run for hours; none where it knows them not.

    Where a CPU has vectors of 512 bits XLA uses half of each unless told otherwise. All
    of it makes a step of the S5 MLP 7 % faster, most of that in the loss.
    """
    return _on_cpu(tuple(_WIDE.items()))


@cache
def _on_cpu(options: tuple[tuple[str, int | bool], ...]) -> dict[str, int | bool]:
    """The options if this is a CPU and its XLA knows them, else none."""
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
    """Name of the host's processor as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
