"""Flags in, exit codes out: bad input is one line on stderr and exit code 2.

Alone, absl prints usage hints and exits with 1, and config_flags lets tracebacks pass.
"""

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags
from ml_collections import ConfigDict

from repjax.config import Config, rules_of
from repjax.rules import ConfigError, check_key

BAD_INPUT = 2
FLAGS = flags.FLAGS


class ConfigFileParser(flags.ArgumentParser):
    """Value of --config → its ConfigDict, locked; a ValueError of one line if it fails.

    The parser it replaces reports a missing file when the config is first read, and
    errors inside the file as tracebacks.
    """

    def parse(self, path: str) -> ConfigDict:
        """Runs `get_config()` of FILE, with what follows a colon as its argument."""
        name, *argument = path.split(":", 1)
        file = Path(name)
        if file.suffix != ".py" or not file.is_file():
            raise ValueError(
                "no such file; use an experiment such as experiments/s6.py"
            )
        try:
            config = _load(file, argument)
        except Exception as error:  # anything can go wrong in a file of the user's
            raise ValueError(_describe(error, file)) from None
        if not isinstance(config, ConfigDict):
            kind = type(config).__name__
            raise ValueError(
                f"get_config() returned {kind}; let it return a ConfigDict"
            )
        return config.lock()


def run(main: Callable[[], Any]) -> NoReturn:
    """`absl.app.run` for a `main` that reads flags and may raise `ConfigError`."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise ConfigError(f"{argv[1]!r}: not a flag; use --flag=value")
            main()
        except ConfigError as error:
            fail(error)

    app.run(guarded, flags_parser=parse_flags)


def parse_flags(argv: list[str]) -> list[str]:
    """`FLAGS(argv)`; prints one line and exits where that would raise."""
    try:
        if "config" in FLAGS:
            for argument in argv[1:]:
                if typed := re.match(r"--?(?:no)?config\.([^=]+)", argument):
                    check_key(typed[1], rules_of(Config), where="--config.")
        return FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = ", ".join(
            f"--{flag.name}" for flag in FLAGS.get_key_flags_for_module(argv[0])
        )
        fail(f"{error}; use one of {known}")
    except flags.IllegalFlagValueError as error:
        fail(_explain(str(error)))
    # A key that the file lacks, or holds as None, is no flags.Error to config_flags.
    except (ValueError, flags.Error, AttributeError, LookupError) as error:
        fail(error)


def fail(error: Exception | str) -> NoReturn:
    """One line on stderr, exit code 2."""
    print("repjax:", *str(error).split(), file=sys.stderr)
    sys.exit(BAD_INPUT)


def _explain(message: str) -> str:
    """A complaint of absl's about a typed-in value, in the words of the setting's rule."""
    message = message.removeprefix("flag ")
    typed = re.match(r"--config\.([\w.]+)=(.*?): ", message)
    if not typed:
        return message
    try:
        rules_of(Config)[typed[1]].parse(f"--config.{typed[1]}", typed[2])
    except ConfigError as error:
        return str(error)
    return message


def _load(file: Path, argument: list[str]) -> Any:
    """What `get_config` of a Python file returns."""
    spec = importlib.util.spec_from_file_location("config_file", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # `from experiments import base` is to work from any directory.
    root = str(file.resolve().parent.parent)
    sys.path.append(root)
    try:
        spec.loader.exec_module(module)
        return module.get_config(*argument)
    finally:
        sys.path.remove(root)


def _describe(error: Exception, file: Path) -> str:
    """What went wrong and in which line of `file`."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno} of {error.filename}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {error}"
