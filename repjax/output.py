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
    """An ASCII stand-in for what an encoding lacks; `?` where there is none."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(letter, "?") for letter in missing), error.end


codecs.register_error("repjax", _stand_in)


class Forgiving:
    """A text stream whose failed writes are lost, not raised.

    A reader that is gone (`… | head -1`) or a full disk is then silent for good:
    training goes on, and what it saves says what happened.
    """

    def __init__(self, stream: Any):
        """Wrap `stream`; what its encoding lacks becomes ASCII from here on."""
        self._stream = stream
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="repjax")

    def write(self, text: str) -> int:
        """Write, or lose, `text`."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._silence()
            return len(text)

    def flush(self) -> None:
        """Flush what was written, if it can be."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._silence()

    def _silence(self) -> None:
        # Or Python fails again when it flushes the stream at its end, with code 120.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's."""
        return getattr(self._stream, name)


def _keep_descriptors() -> None:
    """Open standard descriptors that are closed, so that no other file takes them.

    Otherwise what libraries print to standard error could end up in a checkpoint.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free


@contextlib.contextmanager
def forgiving_output() -> Iterator[None]:
    """Make standard output and standard error `Forgiving` inside."""
    _keep_descriptors()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the program began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    before = sys.stdout, sys.stderr
    # They answer as streams do, but for types that nothing here looks at.
    sys.stdout, sys.stderr = map(Forgiving, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
