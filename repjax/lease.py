"""A lock in a bucket, which has none: a file that its owner renews while it lives."""

import contextlib
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from repjax.files import write_text

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
    """

    def __init__(self, path: Path, owner: str):
        """Not yet held.

        Args:
            path: of the file.
            owner: this process, in words.
        """
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
                f"repjax: {self._path.parent} may be in use by {found['owner']}; "
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
        if self._is_mine(self._read()):
            self._path.unlink(missing_ok=True)

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
            with contextlib.suppress(OSError):  # then the next time
                if self._is_mine(self._read()):
                    self._renew()

    def _renew(self) -> None:
        self._renewals += 1
        content = {
            "owner": self._owner,
            "renewals": self._renewals,
            "token": self._token,
        }
        write_text(self._path, json.dumps(content))

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return None
