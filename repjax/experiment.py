"""Find and run experiment files: those that repjax carries, and a user's own.

An experiment is a Python file with `get_config()`. It is given by its path, such as
studies/mine.py, or by its name, such as quickstart, if repjax carries it; where there
is no file experiments/quickstart.py, that names it, too. Text after a colon is passed
to `get_config` as a string: `small_groups:60`.

In each of these files `from experiments import base` imports the defaults that repjax
carries, wherever it is installed. If the file's own folder is called `experiments`,
that folder is searched first.
"""

import contextlib
import difflib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from repjax.groups.group_files import is_group_file
from repjax.settings.rules import ConfigError, check_key, show

_PACKAGE = "experiments"
_HERE = Path(__file__).parent

# A wheel carries the folder inside the package; in a checkout it is beside it.
_INSIDE = _HERE / _PACKAGE
CARRIED = _INSIDE if _INSIDE.is_dir() else _HERE.parent / _PACKAGE


def carried_names() -> list[str]:
    """Return the names of the experiments that repjax carries, sorted."""
    return sorted(file.stem for file in CARRIED.glob("*.py") if file.stem != "__init__")


def load_config(name: str) -> ConfigDict:
    """Return what `get_config()` of an experiment returns.

    Args:
        name: name of an experiment that repjax carries, or path of a file; text after
            a colon is the argument of `get_config`.

    Raises:
        ValueError: there is no such experiment, or its file fails; the message is one
            line that does not repeat the name.
    """
    path, *arguments = name.split(":", 1)
    file = _find(path)
    try:
        config = _get_config(file, arguments)
    except Exception as error:  # a user's file can raise anything
        raise ValueError(_describe(error, file)) from None
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise ValueError(f"get_config() returned {kind}; let it return a ConfigDict")
    return config


def _find(path: str) -> Path:
    """Return the file of an experiment."""
    file, names = Path(path), carried_names()
    try:
        exists = file.exists()
    except OSError as error:  # such as a name that is too long
        raise ValueError(error.strerror) from None
    if file.suffix == ".py" and file.is_file():
        return file
    for name in names:
        if path == name or file == Path(_PACKAGE, f"{name}.py"):
            return CARRIED / f"{name}.py"
    if file.is_file() and is_group_file(path):
        raise ValueError("holds a group, not an experiment; name it in config.groups")
    if exists:
        fault = "not an experiment"
    else:
        is_file = file.suffix == ".py" or len(file.parts) > 1
        fault = "no such file" if is_file else "no such experiment or file"
    close = difflib.get_close_matches(file.stem, names, n=1)
    if close and not exists:
        raise ValueError(f"{fault}; did you mean {close[0]}?")
    raise ValueError(f"{fault}; use one of {', '.join(names)}, or a Python file (.py)")


def _get_config(file: Path, arguments: Sequence[str]) -> Any:
    """Run a file and its `get_config`."""
    spec = importlib.util.spec_from_file_location("config_file", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # studies/one.py may say `from studies import common`.
    root = str(file.resolve().parent.parent)
    sys.path.append(root)
    try:
        with _importable_experiments(file.resolve().parent):
            spec.loader.exec_module(module)
            if not hasattr(module, "get_config"):
                raise ConfigError("has no get_config(); use a file that defines one")
            return module.get_config(*arguments)
    finally:
        sys.path.remove(root)


@contextlib.contextmanager
def _importable_experiments(folder: Path) -> Iterator[None]:
    """Make the package `experiments` importable inside.

    It is imported afresh: a notebook may have changed a file since the last time.

    Args:
        folder: folder of the file that imports it; searched first if it is itself
            called `experiments`.
    """

    def take_out() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
        return {name: sys.modules.pop(name) for name in names}

    before = take_out()
    package = ModuleType(_PACKAGE)
    own = [str(folder)] if folder.name == _PACKAGE else []
    package.__path__ = [*own, str(CARRIED)]
    sys.modules[_PACKAGE] = package
    try:
        yield
    finally:
        take_out()
        sys.modules.update(before)


def _describe(error: Exception, file: Path) -> str:
    """Describe an error and the line of `file` that raised it."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno} of {error.filename}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    # A frame has the full name of its file; the flag may not.
    here = [frame for frame in frames if Path(frame.filename) == file.absolute()]
    where = f"line {here[-1].lineno}: " if here else ""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, ConfigError):
        what = str(error)
    return where + (_fault_of_key(error) or what)


def _fault_of_key(error: Exception) -> str | None:
    """Describe a wrong key or value of a ConfigDict; None if it is another error.

    The messages of ConfigDict list all other settings, over many lines.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    config, names = frame.f_locals.get("self"), frame.f_locals
    key = names.get("attribute", names.get("key"))
    if not isinstance(config, ConfigDict) or not isinstance(key, str):
        return None
    if key not in config:
        try:
            check_key(key, config)
        except ConfigError as unknown:
            return str(unknown)
    if isinstance(error, TypeError) and "value" in names:
        kind, now = type(config[key]).__name__, show(config[key])
        return f"{key}: {show(names['value'])} is not allowed; use a {kind} like {now}"
    return None
