"""A lock for buckets, which lack file locks: a file that its owner keeps renewing."""

import contextlib
import json
import sys
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
"""Seconds to wait after taking a dead owner's lease, since others may take it too."""


class Held(Exception):
    """The lease belongs to another process."""

    def __init__(self, owner: str):
        """Take the owner's name, for the message."""
        super().__init__(f"held by {owner}; wait for it to end, or use another folder")


class Lease:
    """The right to a folder, for as long as it is renewed.

    Clocks need not agree: a process that finds a lease watches whether it changes. An
    owner that is suspended for longer than `WATCH` can lose it, and must `check` before
    it writes.

    The file is written and read in one call each, bypassing cached listings of folders,
    and never renamed: in a bucket it would be missing for a moment.
    """

    def __init__(self, files: AbstractFileSystem, path: str, owner: str):
        """Create a lease that is not yet held.

        Args:
            files: file system of the file.
            path: its path there.
            owner: this process, in words.
        """
        self._files = files
        self._path = path
        self._owner = owner
        self._token = uuid.uuid4().hex
        self._renewals = 0
        self._renewed_at = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, daemon=True)

    def take(self) -> None:
        """Take the lease if it is free or its owner is dead; else raise `Held`."""
        while (found := self._read()) is not None or not self._create():
            if found is not None and self._outlives(found):
                self._write("overwrite")
                time.sleep(SETTLING)
                self.check()
                break
        self._thread.start()

    def give_back(self) -> None:
        """Stop the renewals, and remove the file if it is still ours."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=RENEWAL)
        with contextlib.suppress(Exception):  # the next process then watches it
            if self._is_mine(self._read()):
                self._files.rm_file(self._path)

    def check(self) -> None:
        """Raise `Held` if another owner has the lease, or may have had it."""
        found = self._read()
        if self._is_mine(found):
            return
        if found is not None:
            raise Held(found["owner"])
        if time.monotonic() - self._renewed_at > WATCH:
            raise Held("another process, or was until now")
        self._write("overwrite")  # someone has removed it

    def _create(self) -> bool:
        """Write the file unless it exists; of several processes one succeeds."""
        try:
            self._write("create")
        except FileExistsError:
            return False
        return True

    def _outlives(self, found: dict[str, Any]) -> bool:
        """Return whether the lease stays unchanged for `WATCH` seconds."""
        print(
            f"repjax: {self._path} belongs to {found['owner']}; watching for "
            f"{WATCH:g} s whether it is alive",
            file=sys.stderr,
            flush=True,
        )
        end = time.monotonic() + WATCH
        while time.monotonic() < end:
            time.sleep(min(1.0, RENEWAL))
            seen = self._read()
            if seen is None:
                return False
            if seen != found:
                raise Held(seen["owner"])
        return True

    def _is_mine(self, found: dict[str, Any] | None) -> bool:
        return found is not None and found["token"] == self._token

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(Exception):  # lease or network lost: see `check`
                self.check()
                self._write("overwrite")

    def _write(self, mode: str) -> None:
        lease = {
            "owner": self._owner,
            "renewals": self._renewals,
            "token": self._token,
        }
        self._files.pipe_file(self._path, json.dumps(lease).encode(), mode=mode)
        self._renewals += 1
        self._renewed_at = time.monotonic()

    def _read(self) -> dict[str, Any] | None:
        """Return the lease; None if there is none."""
        try:
            content = self._files.cat_file(self._path)
        except FileNotFoundError:
            return None
        try:
            lease = json.loads(content)
            return {"owner": lease["owner"], "token": lease["token"]} | lease
        except (ValueError, LookupError, TypeError):
            return {"owner": "an unknown process", "token": ""}
