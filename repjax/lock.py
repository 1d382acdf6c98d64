"""One process at a time: a lock that is gone when its owner is, however that ended."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from repjax.files import is_local
from repjax.rules import ConfigError


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds `directory`/.lock; the kernel lets it go when the process dies.

    On gs:// there are no locks: nothing is held.

    Raises:
        ConfigError: another process holds it.
    """
    if not is_local(directory):
        yield
        return
    import fcntl  # not on Windows

    with (directory / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read() or "another process"
            raise ConfigError(
                f"--workdir: {directory} is in use by {owner}; wait for it to end, or "
                "use another --workdir"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
