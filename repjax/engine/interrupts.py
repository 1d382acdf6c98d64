"""Answer Ctrl-C at once, although the main thread is inside a chunk of steps."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

STOPPING = (
    "repjax: stopping after this chunk of steps; all steps taken will have been saved"
)


@contextlib.contextmanager
def answered(line: str = STOPPING) -> Iterator[None]:
    """Print a line on stderr as soon as the first SIGINT arrives.

    Python runs its handlers in the main thread, and only after JAX has returned: at the
    end of a chunk, seconds later. Through `signal.set_wakeup_fd` another thread learns
    of the signal at once. Call this in the main thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    thread = threading.Thread(target=_answer, args=(reading, line), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)  # ends the thread
        thread.join()
        os.close(reading)


def _answer(reading: int, line: str) -> None:
    while number := os.read(reading, 1):
        if number[0] == signal.SIGINT:
            print(line, file=sys.stderr)
            return
