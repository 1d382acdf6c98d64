"""Runs the programs of the package in the process of the test."""

import inspect
import sys
from types import ModuleType

import pytest
from absl.testing import flagsaver

from repjax import command_line


def call(program: ModuleType, *arguments: object, operands: str = "RUN_DIR") -> int:
    """Calls a program with flags, and operands if it takes any; its exit code."""
    if not inspect.signature(program.main).parameters:
        operands = ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "8")  # jax has started already
        patch.setattr(sys, "argv", [program.__name__, *map(str, arguments)])
        saved = flagsaver.save_flag_values(program._FLAGS)
        try:
            command_line.run(program.main, program._FLAGS, operands)
        except SystemExit as stop:
            return stop.code
        finally:
            flagsaver.restore_flag_values(saved, program._FLAGS)
    return 0
