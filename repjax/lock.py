"""One process at a time: a lock that is gone when its owner is, however that ended."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from repjax.files import is_local
from repjax.lease import Held, Lease
from repjax.rules import ConfigError


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[Callable[[], None]]:
    """Holds `directory`/.lock, and gives a call to make before anything is written.

    On a disk the kernel lets the lock go when the process dies. In a bucket it is a
    `Lease`, which one that stood still can lose: then the call fails.

    Raises:
        ConfigError: another process holds it.
    """
    hold = _flock if is_local(directory) else _lease
    me = f"process {os.getpid()} on {socket.gethostname()}"
    try:
        with hold(directory / ".lock", me) as check:
            yield check
    except Held as owner:
        raise ConfigError(
            f"--workdir: {directory} is in use by {owner}; wait for it to end, or use "
            "another --workdir"
        ) from None


@contextlib.contextmanager
def _flock(path: Path, me: str) -> Iterator[Callable[[], None]]:
    import fcntl  # not on Windows

    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Held(file.read() or "another process") from None
        file.truncate(0)
        file.write(me)
        file.flush()
        yield lambda: None


@contextlib.contextmanager
def _lease(path: Path, me: str) -> Iterator[Callable[[], None]]:
    import fsspec

    lease = Lease(fsspec.filesystem("gcs"), os.fspath(path), me)
    lease.take()
    try:
        yield lease.check
    finally:
        lease.give_back()
