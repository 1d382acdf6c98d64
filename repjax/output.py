"""Make failing output harmless: closed pipes, full disks, ASCII-only locales."""

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

_STAND_INS = {
    **{"–": "-", "—": "-", "−": "-", "×": "x", "·": "*", "…": "...", "≤": "<="},
    **{"ρ": "rho", "χ": "chi", "‖": "||", "⁻": "^-", "¹": "1", "²": "^2", "→": "->"},
    **{"│": "|", "─": "-", "━": "=", "╸": "=", "╺": "-"},
}


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for characters that an encoding lacks; `?` where there is none."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(letter, "?") for letter in missing), error.end


codecs.register_error("repjax", _stand_in)


class Forgiving:
    """A text stream that drops failed writes instead of raising.

    After a reader is gone (`… | head -1`) or a disk is full, the stream stays silent:
    training goes on, and its results are in the files that it saves.
    """

    def __init__(self, stream: Any):
        """Wrap `stream`; characters that its encoding lacks become ASCII."""
        self._stream = stream
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="repjax")

    def write(self, text: str) -> int:
        """Write `text`, or drop it."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._silence()
            return len(text)

    def flush(self) -> None:
        """Flush the stream if possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._silence()

    def _silence(self) -> None:
        # Otherwise Python fails when it flushes the stream at exit, with code 120.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self._stream, name)


def _keep_descriptors() -> None:
    """Open standard descriptors that are closed, so that no other file takes them.

    Otherwise what libraries print to standard error could end up in a checkpoint.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor


@contextlib.contextmanager
def forgiving_output() -> Iterator[None]:
    """Make standard output and standard error `Forgiving` inside."""
    _keep_descriptors()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the program began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    before = sys.stdout, sys.stderr
    # They have the methods of streams, though not the type.
    sys.stdout, sys.stderr = map(Forgiving, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
