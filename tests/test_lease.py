import json
import threading
import time

import pytest

from repjax import lease
from repjax.lease import Held, Lease


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(lease, "RENEWAL", 0.05)
    monkeypatch.setattr(lease, "WATCH", 1.0)
    monkeypatch.setattr(lease, "SETTLING", 0.05)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cell" / ".lock"


def renewals(path):
    return json.loads(path.read_text())["renewals"]


def test_held_while_its_owner_lives(path, capsys):
    first = Lease(path, "the first")
    first.take()
    before = renewals(path)
    with pytest.raises(Held, match="the first"):
        Lease(path, "the second").take()
    assert "may be in use by the first" in capsys.readouterr().out
    assert renewals(path) > before
    first.check()
    first.give_back()
    assert not path.exists()
    second = Lease(path, "the second")
    second.take()
    second.give_back()
    assert not capsys.readouterr().out, "a free lease needs no watching"


def test_taken_from_a_dead_owner_who_finds_out(path):
    first = Lease(path, "the first")
    first.take()
    first._ended.set()  # it stands still
    first._thread.join()
    second = Lease(path, "the second")
    begin = time.monotonic()
    second.take()
    assert time.monotonic() - begin > 1.0, "it had its chance"
    with pytest.raises(Held, match="the second"):
        first.check()
    first.give_back()
    second.check()
    second.give_back()


def test_of_two_at_the_same_moment_one_holds_it(path):
    both, held = threading.Barrier(2), []
    leases = [Lease(path, name) for name in ("one", "other")]

    def take(mine):
        both.wait()
        try:
            mine.take()
        except Held as owner:
            held.append(str(owner))

    threads = [threading.Thread(target=take, args=(mine,)) for mine in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (owner,) = held
    assert json.loads(path.read_text())["owner"] == owner
    winner = leases[("one", "other").index(owner)]
    winner.check()
    winner.give_back()


def test_a_damaged_file_is_no_lease(path):
    path.parent.mkdir()
    path.write_text('{"owner": "some')
    mine = Lease(path, "me")
    mine.take()
    mine.check()
    mine.give_back()
