"""A lock in a bucket, which has none: a file that its owner renews while it lives."""

import contextlib
import json
import threading
import time
import uuid
from typing import Any

from fsspec import AbstractFileSystem

RENEWAL = 10.0
"""Seconds between two renewals."""

WATCH = 45.0
"""Seconds without a renewal after which the owner counts as dead."""

SETTLING = 2.0
"""Seconds after which it is clear who was the last to take a free lease."""


class Held(Exception):
    """Another owner holds the lease; the message is its name."""


class Lease:
    """The right to a folder, for as long as it is renewed.

    There is no need of clocks that agree: whoever finds a lease watches whether it
    changes. An owner that stands still for longer than `WATCH` can lose it, and is to
    `check` before it writes.

    The file is written and read in one call each, past what a file system remembers of
    a folder, and never renamed: in a bucket it would be missing for a moment.
    """

    def __init__(self, files: AbstractFileSystem, path: str, owner: str):
        """Not yet held.

        Args:
            files: where the file is.
            path: its path there.
            owner: this process, in words.
        """
        self._files = files
        self._path = path
        self._owner = owner
        self._token = uuid.uuid4().hex
        self._renewals = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, daemon=True)

    def take(self) -> None:
        """Takes the lease if it is free or its owner dead; `Held` if it lives."""
        found = self._read()
        if found is not None:
            print(
                f"repjax: {self._path} may be of a living process, {found['owner']}; "
                f"watching it for {WATCH:g} s",
                flush=True,
            )
            self._watch(found)
        self._renew()
        time.sleep(SETTLING)
        self.check()
        self._thread.start()

    def give_back(self) -> None:
        """Ends the renewals, and removes the file if it is still ours."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # whoever comes next watches it, then
            if self._is_mine(self._read()):
                self._files.rm_file(self._path)

    def check(self) -> None:
        """Raises `Held` if another owner has it."""
        found = self._read()
        if found is not None and not self._is_mine(found):
            raise Held(found["owner"])

    def _watch(self, found: dict[str, Any]) -> None:
        end = time.monotonic() + WATCH
        while time.monotonic() < end:
            time.sleep(min(1.0, RENEWAL))
            seen = self._read()
            if seen is None:
                return
            if seen != found:
                raise Held(seen["owner"])

    def _is_mine(self, found: dict[str, Any] | None) -> bool:
        return found is not None and found["token"] == self._token

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(Exception):  # the network's; then the next time
                if self._is_mine(self._read()):
                    self._renew()

    def _renew(self) -> None:
        self._renewals += 1
        content = {
            "owner": self._owner,
            "renewals": self._renewals,
            "token": self._token,
        }
        self._files.pipe_file(self._path, json.dumps(content).encode())

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._files.cat_file(self._path))
        except (FileNotFoundError, ValueError):
            return None
