import json
import threading
import time

import fsspec
import pytest

from repjax.storage import lease
from repjax.storage.lease import Held, Lease


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(lease, "RENEWAL", 0.05)
    monkeypatch.setattr(lease, "WATCH", 1.0)
    monkeypatch.setattr(lease, "SETTLING", 0.5)


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
    assert ".lock belongs to the first; watching" in capsys.readouterr().err
    assert content(bucket)["renewals"] > before
    first.check()
    first.give_back()
    assert not bucket.exists("/cell/.lock")
    second = lease_of(bucket, "the second")
    second.take()
    second.give_back()
    assert not capsys.readouterr().err, "a free lease needs no watching"


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


def test_of_two_who_take_it_from_the_dead_the_last_holds_it(bucket):
    bucket.pipe_file("/cell/.lock", b'{"owner": "the dead", "token": "1"}')
    leases = {name: lease_of(bucket, name) for name in ("one", "other")}
    refused = []

    def take(name):
        try:
            leases[name].take()
        except Held as error:
            refused.append((name, str(error)))

    threads = [threading.Thread(target=take, args=(name,)) for name in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((name, reason),) = refused
    (holder,) = leases.keys() - {name}
    assert f"held by {holder};" in reason
    leases[name].give_back()
    leases[holder].check()
    leases[holder].give_back()


def test_removed_it_is_written_again(bucket):
    mine = lease_of(bucket, "me")
    mine.take()
    bucket.rm_file("/cell/.lock")
    mine.check()
    with pytest.raises(Held, match="held by me"):
        lease_of(bucket, "another").take()
    mine.give_back()


def test_one_that_stood_still_may_have_been_replaced(bucket, monkeypatch):
    """By another that has ended meanwhile, and so has left nothing."""
    mine = lease_of(bucket, "me")
    mine.take()
    mine._ended.set()
    mine._thread.join()
    bucket.rm_file("/cell/.lock")
    monkeypatch.setattr(lease, "WATCH", 0.0)
    with pytest.raises(Held):
        mine.check()
    mine.give_back()


@pytest.mark.parametrize("content", [b'{"owner": "some', b"[]", b"{}"])
def test_one_that_cannot_be_read_is_watched_as_well(bucket, capsys, content):
    bucket.pipe_file("/cell/.lock", content)
    mine = lease_of(bucket, "me")
    mine.take()
    assert "belongs to an unknown process; watching" in capsys.readouterr().err
    mine.check()
    mine.give_back()
