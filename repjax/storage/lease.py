"""A lock for buckets, which have none: a file that its owner keeps renewing."""

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
"""Seconds after which it shows which of several took the lease of a dead owner last."""


class Held(Exception):
    """The lease is not ours."""

    def __init__(self, owner: str):
        """Of whom it is."""
        super().__init__(f"held by {owner}; wait for it to end, or use another folder")


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
        self._renewed_at = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, daemon=True)

    def take(self) -> None:
        """Takes the lease if it is free or its owner dead; `Held` if it lives."""
        while (found := self._read()) is not None or not self._create():
            if found is not None and self._outlives(found):
                self._write("overwrite")
                time.sleep(SETTLING)
                self.check()
                break
        self._thread.start()

    def give_back(self) -> None:
        """Ends the renewals, and removes the file if it is still ours."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=RENEWAL)
        with contextlib.suppress(Exception):  # whoever comes next watches it, then
            if self._is_mine(self._read()):
                self._files.rm_file(self._path)

    def check(self) -> None:
        """Raises `Held` if another owner has the lease, or may have had it."""
        found = self._read()
        if self._is_mine(found):
            return
        if found is not None:
            raise Held(found["owner"])
        if time.monotonic() - self._renewed_at > WATCH:
            raise Held("another process, or was until now")
        self._write("overwrite")  # somebody has removed it

    def _create(self) -> bool:
        """Writes the file, unless there is one: of several at a time one succeeds."""
        try:
            self._write("create")
        except FileExistsError:
            return False
        return True

    def _outlives(self, found: dict[str, Any]) -> bool:
        """Return whether the lease stays unchanged for `WATCH` seconds."""
        print(
            f"repjax: {self._path} is of {found['owner']}; watching for {WATCH:g} s "
            "whether that lives",
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
            with contextlib.suppress(Exception):  # lost, or the network is: see `check`
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
        """The lease; None if there is none."""
        try:
            content = self._files.cat_file(self._path)
        except FileNotFoundError:
            return None
        try:
            lease = json.loads(content)
            return {"owner": lease["owner"], "token": lease["token"]} | lease
        except (ValueError, LookupError, TypeError):
            return {"owner": "somebody unknown", "token": ""}
