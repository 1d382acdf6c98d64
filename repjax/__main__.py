"""The command `repjax`: `repjax NAME --flag…` is `python -m MODULE --flag…`.

Only the standard library is imported before the program that is asked for, so that help
comes at once, and Ctrl-C during the imports of a program ends it without a traceback.
"""

import difflib
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from repjax import __version__
from repjax.output import forgiving_output

COMMANDS = {
    "train": ("repjax.main", "train, checkpoint, analyse and tabulate one sweep"),
    "table3": ("repjax.table3", "write Table 3 of one or many workdirs again"),
    "report": ("repjax.report", "write figures and a page about what was learned"),
    "groups": ("repjax.groups", "say what is known of a group"),
    "published": (
        "repjax.published",
        "import networks that the paper's authors trained",
    ),
    "export": ("repjax.export", "write one network to a file for other programs"),
    "dataset": ("repjax.dataset", "write the runs of workdirs as one table of Parquet"),
}
"""Sub-command → module that it runs, and what it does."""

_BAD_INPUT, _STOPPED = 2, 75  # as in command_line, which takes 0.3 s to import


def main() -> None:
    """Run the sub-command that the command line names."""
    handled = (signal.SIGINT, signal.SIGTERM)
    for number in handled:
        signal.signal(number, _interrupt)
    try:
        with forgiving_output():
            code = _run(sys.argv[1:])
    finally:
        for number in handled:  # all is done: only Python is left to end
            signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    """Leave at once: programs handle signals as soon as there is something to save.

    An exception would be lost where an import runs a callback, as of the collector.
    """
    os.write(2, b"repjax: interrupted; call again to go on\n")
    os._exit(_STOPPED)


def _run(arguments: Sequence[str]) -> int:
    """Return an exit code; programs may also exit themselves."""
    name, *rest = arguments or ["--help"]
    if name in ("--version", "-V", "version"):
        print(f"repjax {__version__}")
    elif name in ("--help", "-h", "help"):
        print(_help())
    elif name in COMMANDS:
        sys.argv = [f"repjax {name}", *rest]
        runpy.run_module(COMMANDS[name][0], run_name="__main__", alter_sys=True)
    else:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"use {', '.join(COMMANDS)}"
        print(f"repjax: {name!r} is not a command; {hint}", file=sys.stderr)
        return _BAD_INPUT
    return 0


def _help() -> str:
    """Return the list of sub-commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: repjax COMMAND [--flag=value …]",
            "",
            *lines,
            "",
            "repjax COMMAND --help lists the flags; repjax --version the version.",
            "Begin with: repjax train --config=quickstart --workdir=runs/quickstart",
        ]
    )


if __name__ == "__main__":
    main()
