"""Parse flags, set exit codes: bad input is one line on stderr and exit code 2.

Every program has its own `FlagValues`, so that two with a flag of the same name can be
imported together. `absl.app.run` supports only the global one, exits with code 1 on bad
flags, and shows some errors of config_flags as tracebacks.
"""

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any, NoReturn

from absl import flags
from ml_collections import ConfigDict

from repjax.experiment import carried_names, load_config
from repjax.output import forgiving_output
from repjax.settings.config import Config, rules_of
from repjax.settings.rules import ConfigError, check_key, split
from repjax.storage.files import as_path, is_local

BAD_INPUT = 2

STOPPED = 75
"""Exit code after a signal: saved files are whole, and calling again resumes."""

_OF_THE_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
    errno.EFBIG, errno.ENOTDIR, errno.EISDIR, errno.ESTALE, errno.EEXIST, errno.ENOENT,
    errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTEMPTY,
)  # fmt: skip
"""Errors of disks and paths, not of the program."""

_OF_A_BUCKET = ("gcsfs", "google", "aiohttp")
"""Packages whose exceptions mean a network, bucket or permission problem."""


class ConfigFileParser(flags.ArgumentParser):
    """Parse --config into a locked ConfigDict; failures are a ValueError of one line.

    The parser of config_flags reports a missing file only when the config is first
    read, and errors inside the file as tracebacks.
    """

    def parse(self, argument: str) -> ConfigDict:
        """Return the config of an experiment; see `experiment.load_config`."""
        return load_config(argument).lock()

    def flag_type(self) -> str:
        """Return the type that --help shows."""
        return "experiment"


def run(
    main: Callable[..., Any], flag_values: flags.FlagValues, operands: str = ""
) -> None:
    """Parse `sys.argv` and call `main`; report bad input of either.

    Args:
        main: the program.
        flag_values: its flags.
        operands: name of its arguments besides flags, such as RUN_DIR, or [NAME] if
            they are optional; `main` is then called with their list. Empty if it takes
            none.
    """
    with forgiving_output():
        _run(main, flag_values, operands)


def _run(
    main: Callable[..., Any], flag_values: flags.FlagValues, operands: str
) -> None:
    # Training handles both signals itself and ends with a checkpoint; before and after
    # it there is nothing to save.
    handled = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, _interrupt) for number in handled}
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_leave_if_interrupted, hook)
    try:
        rest = parse_flags(sys.argv, flag_values, operands)
        if rest is None:
            print(_help(sys.modules[main.__module__].__doc__ or "", flag_values))
        elif operands:
            main(rest)
        else:
            main()
    except ConfigError as error:
        remove_empty_directories()
        refuse(str(error))
    except Exception as error:
        if (fault := _fault_of_storage(error)) is None:
            raise
        refuse(f"{fault}; what was saved before is whole: fix this and call again")
    except (Interrupted, KeyboardInterrupt):
        _interrupted()
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _fault_of_storage(error: Exception) -> str | None:
    """Return the message of a disk or bucket error; None for any other error."""
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return f"{error.filename or 'a file'}: {error.strerror}"
    package = type(error).__module__.partition(".")[0]
    of_a_bucket = isinstance(error, OSError) and error.errno is None  # as gcsfs raises
    if of_a_bucket or package in _OF_A_BUCKET:
        return f"{type(error).__name__}: {error}"
    return None


class Interrupted(BaseException):
    """A signal arrived while there was nothing to save.

    Not a KeyboardInterrupt: after one has passed through an `exec`, as in an import,
    Python ends by the signal, whatever the exit code.
    """


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise Interrupted


def _leave_if_interrupted(
    otherwise: Callable[["sys.UnraisableHookArgs"], Any],
    unraisable: "sys.UnraisableHookArgs",
) -> None:
    """Leave if Python drops an interruption: the program would go on to its end.

    Python drops exceptions in callbacks, such as the one that XLA has in the garbage
    collector; during start-up two Ctrl-C in 36 arrived there.
    """
    if issubclass(unraisable.exc_type, Interrupted | KeyboardInterrupt):
        _interrupted()
    otherwise(unraisable)


def _interrupted() -> NoReturn:
    print("repjax: interrupted; call again to go on", file=sys.stderr)
    leave()


def leave() -> NoReturn:
    """End at once as stopped: a usual exit waits for threads.

    There are those that compile, and a timer of 60 s in jax.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(STOPPED)


def refuse(message: str) -> NoReturn:
    """Print one line on stderr, and exit with the code of bad input."""
    print("repjax:", *message.split(), file=sys.stderr)
    sys.exit(BAD_INPUT)


_made: list[Path] = []
"""What the last call of `usable_directory` created, the innermost directory first."""


def _absent(directory: Path) -> Iterator[Path]:
    """Yield a local directory and its parents, as far as they do not exist."""
    if is_local(directory):
        for path in (directory, *directory.parents):
            if path.exists():
                return
            yield path


def remove_empty_directories() -> None:
    """Remove what `usable_directory` created, after bad input, unless it is in use."""
    while _made:
        with contextlib.suppress(OSError):
            _made.pop(0).rmdir()


def usable_directory(flag: str, name: str | None) -> Path:
    """Return the directory that a flag names, after making sure that it is writable.

    Args:
        flag: name of the flag, with its dashes.
        name: a path on this machine or gs://…
    """
    if not name:
        raise ConfigError(f"{flag}: missing; use a directory, which will be created")
    directory = as_path(name)
    if is_local(directory) and "://" in name:
        raise ConfigError(f"{flag}: {name!r} is not supported; use a path or gs://…")
    try:
        _made[:] = _absent(directory)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{flag}: {name!r}: {error.strerror or error}; use a directory"
        ) from None
    except ImportError:
        raise ConfigError(
            f"{flag}: {name!r} is in a bucket, which needs the extra `gcs`; "
            "use pip install 'repjax[gcs]'"
        ) from None
    if is_local(directory) and not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"{flag}: {name!r} is read-only; use a writable one")
    return directory


@contextlib.contextmanager
def named_as_typed(keys: Collection[str]) -> Iterator[None]:
    """Let errors in the values of these settings name the flags --config.key."""
    try:
        yield
    except ConfigError as error:
        if str(error).partition(":")[0] in keys:
            raise ConfigError(f"--config.{error}") from None
        raise


def parse_flags(
    argv: list[str], flag_values: flags.FlagValues, operands: str = ""
) -> list[str] | None:
    """Parse `argv` and return the arguments that are not flags; None for --help.

    Raises:
        ConfigError: a flag or the file of --config is wrong.
    """
    if "help" not in flag_values:
        flags.DEFINE_bool("help", False, "Show this.", flag_values=flag_values)
    if "config" in flag_values:
        for argument in argv[1:]:
            if typed := re.match(r"--?(?:no)?config\.([^=]+)", argument):
                check_key(typed[1], rules_of(Config), where="--config.")
    flag_values.set_gnu_getopt(bool(operands))  # flags may follow operands
    try:
        rest = flag_values([*map(_with_quotes, argv)])[1:]
    except (flags.Error, AttributeError, LookupError, ValueError) as error:
        raise _explain(error, flag_values) from None
    if flag_values["help"].value:
        return None
    if rest and not operands:
        raise _not_a_flag(rest[0], flag_values)
    if operands and not rest and not operands.startswith("["):
        raise ConfigError(f"{operands}: missing; name one or more")
    return rest


def _not_a_flag(argument: str, flag_values: flags.FlagValues) -> ConfigError:
    """Return the error for an argument without dashes, with the flag that it lacks."""
    flag = None
    if "config" in flag_values and (
        argument.endswith(".py")
        or get_close_matches(argument.partition(":")[0], carried_names())
    ):
        flag = "config"
    elif "workdir" in flag_values and os.path.isdir(argument):
        flag = "workdir"
    hint = f"did you mean --{flag}={argument}?" if flag else "use --flag=value"
    return ConfigError(f"'{argument}' is not a flag; {hint}")


def _with_quotes(argument: str) -> str:
    """Return --config.groups=S5,C7:C3 with quotes, since no Python is meant.

    The parser of tuples takes a list of names for Python, and refuses colons and paths.
    """
    flag, equals, value = argument.partition("=")
    if flag.lstrip("-") != "config.groups" or value.startswith(("('", '("', "[", "'")):
        return argument
    return f"{flag}{equals}{tuple(split(value))!r}" if equals else argument


def _own_flags(flag_values: flags.FlagValues) -> list[str]:
    """Return the names of the flags of a program, without absl's own."""
    return [name for name in flag_values if name not in ("flagfile", "undefok")]


def _help(text: str, flag_values: flags.FlagValues) -> str:
    """Return a program's docstring, with its command as it was typed, and its flags."""
    text = text.strip()
    spec = sys.modules["__main__"].__spec__
    program = {*map(os.path.basename, sys.orig_argv[:3])}  # python -m repjax
    if spec and not {"repjax", "repjax.exe"} & program:
        module = f"python -m {spec.name.removesuffix('.__main__')}"
        text = re.sub(r"^repjax \w+(?= )", module, text, flags=re.MULTILINE)
    lines = [text, "", "flags:"]
    for name in _own_flags(flag_values):
        flag = flag_values[name]
        what = flag.help.partition(";\n")[0]  # absl adds "repeat this option…"
        title = f"--[no]{name}" if flag.boolean else f"--{name}"
        lines += wrap(
            f"{title}: {what}",
            initial_indent="  ",
            subsequent_indent="    ",
            width=80,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _explain(error: Exception, flag_values: flags.FlagValues) -> ConfigError:
    """Rephrase the messages of absl and config_flags about bad flags."""
    message = str(error)
    if isinstance(error, flags.UnrecognizedFlagError):
        if error.flagname.startswith("config."):
            return ConfigError("--config: missing; --config.key needs a file")
        check_key(error.flagname, _own_flags(flag_values), where="--")
    if isinstance(error, AttributeError | LookupError):  # known, but not there
        key = re.search(r"[\w.]+", message)
        message = f"--config: the file has no {key and key[0]}; start from base.py"
    refused = re.match(r"flag --(.+?)=(.*?): ", message)
    if refused and refused[1] != "config":
        name, value = refused.groups()
        rule = rules_of(Config).get(name.removeprefix("config."))
        allowed = rule.allowed if rule else "true or false"
        message = f"--{name}: {value!r} is not allowed; use {allowed}"
    return ConfigError(message.removeprefix("flag "))
