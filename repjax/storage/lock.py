"""Lock a directory for one process; the lock ends with the process."""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec

from repjax.settings.rules import ConfigError
from repjax.storage.files import is_local
from repjax.storage.lease import Lease


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[Callable[[], None]]:
    """Hold `directory`/.lock, and yield a function to call before each save.

    On a disk the kernel releases the lock when the process dies. In a bucket it is a
    `Lease`, which a suspended process can lose; the function then raises.

    Raises:
        ConfigError: on a disk, another process holds the lock.
        Held: in a bucket, another process holds the lock, or did a moment ago.
    """
    path = directory / ".lock"
    me = f"process {os.getpid()} on {socket.gethostname()}"
    with (_flock if is_local(path) else _lease)(path, me) as check:
        yield check


@contextlib.contextmanager
def _flock(path: Path, me: str) -> Iterator[Callable[[], None]]:
    import fcntl  # not on Windows

    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read() or "another process"
            raise ConfigError(
                f"--workdir: {path.parent} is in use by {owner}; wait for it to end, "
                "or use another --workdir"
            ) from None
        except OSError as error:  # as on some network disks
            print(
                f"repjax: no locks on {path.parent} ({error.strerror}): make sure that "
                "no other process trains there",
                file=sys.stderr,
            )
        file.truncate(0)
        file.write(me)
        file.flush()
        yield lambda: None


@contextlib.contextmanager
def _lease(path: Path, me: str) -> Iterator[Callable[[], None]]:
    lease = Lease(fsspec.filesystem("gcs"), os.fspath(path), me)
    try:
        lease.take()
        yield lease.check
    finally:
        lease.give_back()
