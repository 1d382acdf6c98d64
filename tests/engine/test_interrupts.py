"""Ctrl-C is answered before the main thread can handle it."""

import hashlib
import os
import signal
import threading
import time

from repjax.engine.interrupts import STOPPING
from repjax.engine.train import _signals_noted


class Watch:
    """A stream that notes when something was written."""

    def __init__(self):
        self.text, self.times = "", []

    def write(self, text):
        self.text += text
        self.times.append(time.monotonic())

    def flush(self):
        pass


def work(seconds: float) -> None:
    """Stay outside Python for some time, as in a chunk; no handler runs meanwhile."""
    begin = time.monotonic()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
    once = time.monotonic() - begin
    hashlib.pbkdf2_hmac("sha256", b"", b"", int(20_000 * seconds / once))


def test_a_line_answers_ctrl_c_while_a_chunk_is_running(monkeypatch):
    stderr = Watch()
    monkeypatch.setattr("sys.stderr", stderr)
    before = signal.getsignal(signal.SIGINT)
    with _signals_noted() as signals:
        kill = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        kill.start()
        work(0.4)
        end = time.monotonic()
        kill.join()
    assert signals == [signal.SIGINT]
    assert stderr.text == f"{STOPPING}\n"
    assert max(stderr.times) < end
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_sigterm_is_noted_without_a_word(capsys):
    with _signals_noted() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals == [signal.SIGTERM]
    assert capsys.readouterr().err == ""
