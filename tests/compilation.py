"""Compilation in tests: quick where a program runs for milliseconds, and counted."""

from collections.abc import Callable

import jax
import pytest

from repjax.engine import ensemble

# On a CPU a kernel of analysis then compiles in 0.8 s instead of 4.5 s.
_HASTY = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def _options() -> dict[str, int | bool]:
    """`_HASTY` where this backend knows these options, else none."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x + 1, compiler_options=_HASTY)(1.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return _HASTY


def quick_jit(function: Callable) -> Callable:
    """`jax.jit` in full float32 precision, with little optimisation."""

    def precise(*arguments):
        with jax.default_matmul_precision("highest"):
            return function(*arguments)

    return jax.jit(precise, compiler_options=_options())


def count_traces(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return a dict that counts, from here on, how often each program is traced."""
    traces: dict[str, int] = {}
    for name in ("init_run", "train_steps", "evaluate"):
        function = getattr(ensemble, name)

        def counted(*arguments, name=name, function=function):
            traces[name] = traces.get(name, 0) + 1
            return function(*arguments)

        monkeypatch.setattr(ensemble, name, counted)
    return traces
