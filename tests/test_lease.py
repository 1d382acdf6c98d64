import json
import threading
import time

import fsspec
import pytest

from repjax import lease
from repjax.lease import Held, Lease


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(lease, "RENEWAL", 0.05)
    monkeypatch.setattr(lease, "WATCH", 1.0)
    monkeypatch.setattr(lease, "SETTLING", 0.05)


@pytest.fixture
def bucket():
    """Files in memory, which are whole or not there, as in a bucket."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def lease_of(bucket, owner):
    return Lease(bucket, "/cell/.lock", owner)


def content(bucket):
    return json.loads(bucket.cat_file("/cell/.lock"))


def test_held_while_its_owner_lives(bucket, capsys):
    first = lease_of(bucket, "the first")
    first.take()
    before = content(bucket)["renewals"]
    with pytest.raises(Held, match="the first"):
        lease_of(bucket, "the second").take()
    assert "may be of a living process, the first" in capsys.readouterr().out
    assert content(bucket)["renewals"] > before
    first.check()
    first.give_back()
    assert not bucket.exists("/cell/.lock")
    second = lease_of(bucket, "the second")
    second.take()
    second.give_back()
    assert not capsys.readouterr().out, "a free lease needs no watching"


def test_taken_from_a_dead_owner_who_finds_out(bucket):
    first = lease_of(bucket, "the first")
    first.take()
    first._ended.set()  # it stands still
    first._thread.join()
    second = lease_of(bucket, "the second")
    begin = time.monotonic()
    second.take()
    assert time.monotonic() - begin > 1.0, "it had its chance"
    with pytest.raises(Held, match="the second"):
        first.check()
    first.give_back()
    second.check()
    second.give_back()


def test_of_two_at_the_same_moment_one_holds_it(bucket):
    both, held = threading.Barrier(2), []
    leases = [lease_of(bucket, name) for name in ("one", "other")]

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
    assert content(bucket)["owner"] == owner
    winner = leases[("one", "other").index(owner)]
    winner.check()
    winner.give_back()


def test_a_damaged_file_is_no_lease(bucket):
    bucket.pipe_file("/cell/.lock", b'{"owner": "some')
    mine = lease_of(bucket, "me")
    mine.take()
    mine.check()
    mine.give_back()
