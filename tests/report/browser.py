"""Chromium without a window, steered through a pipe: sizes, dark mode, keys.

The DevTools protocol: JSON messages that end with a zero byte, on descriptors 3 and 4.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip


def find_browser() -> str:
    """Path of a browser; without one the test is skipped."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: looked for {', '.join(BROWSERS)}")
    return found


class Browser:
    """One tab of a browser, until `close`."""

    def __init__(self, profile: Path):
        browser = find_browser()
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        command = (
            f'exec "{browser}" --headless --no-sandbox --disable-gpu '
            f"--remote-debugging-pipe --user-data-dir='{profile}' about:blank "
            f"3<&{read} 4>&{write}"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._number, self._rest, self._session = 0, b"", None
        self.events: list[dict] = []
        target = self.send("Target.createTarget", url="about:blank")
        attached = self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict:
        """Calls a method of the protocol, and returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict:
        while b"\0" not in self._rest:
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path, width: int = 1300, scheme: str = "light") -> None:
        """Loads a page in a window of this width, in light or dark mode."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])
        self.send("Page.navigate", url=page.as_uri())
        self.run("new Promise((done) => { const ready = () => document.readyState ==="
                 " 'complete' && document.querySelector('main') ? done()"
                 " : setTimeout(ready, 20); ready(); })")  # fmt: skip

    def run(self, script: str) -> Any:
        """The value of an expression, which may be a promise."""
        result = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Presses and releases a key."""
        parameters = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        if key == "Enter":
            parameters["text"] = "\r"
        self.send("Input.dispatchKeyEvent", type="keyDown", **parameters)
        del parameters["windowsVirtualKeyCode"]
        parameters.pop("text", None)
        self.send("Input.dispatchKeyEvent", type="keyUp", **parameters)

    def type(self, text: str) -> None:
        """Types text into what has the focus."""
        self.send("Input.insertText", text=text)

    def faults(self) -> list[dict]:
        """Exceptions and console messages so far."""
        wanted = (
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
        )
        return [event for event in self.events if event.get("method") in wanted]

    def close(self) -> None:
        """Ends the browser."""
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._read)
        os.close(self._write)
