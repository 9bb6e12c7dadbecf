"""Live news: over a WebSocket while they happen, on from a cursor after a break, to whom they belong."""

import json

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from gateway.http import access, live
from ledger.api_keys import revoke_key
from ledger.claims import claim_next
from ledger.deliveries import commit_batch
from ledger.stages import finish_stage, start_stage
from tasks.runtime import utc_now
from tests.gateway.conftest import served
from tests.ledger.conftest import Make

make = Make()


def listen(door, key, query="", address=None):
    """A WebSocket by a key in a header."""
    at = (address or door.address).replace("http", "ws")
    return connect(f"{at}/v1/live{query}", additional_headers={"authorization": f"Bearer {key}"})


def heard(socket, count):
    """The first news after `listening`."""
    assert json.loads(socket.recv(timeout=60))["name"] == "listening"
    return [json.loads(socket.recv(timeout=60)) for _ in range(count)]


def work_off(door, number, tenant="acme"):
    """One batch from its events to its end; its id."""
    make.ready(door.book, number, tenant=tenant)
    lease = f"lease-{number}"
    work = claim_next(door.book, lease_id=lease, owner="w", now=make.now, lease_for=10 * make.minute)
    batch = work.batch.id
    start_stage(door.book, batch, "insights", make.now)
    finish_stage(door.book, batch, "insights", "DONE", None, make.now)
    commit_batch(door.book, batch, lease, [], [], make.now)
    return batch


ALL = ["events.accepted", "batch.ready", "batch.running", "stage.started", "stage.ended", "batch.done"]


def test_a_tenant_hears_what_happens_from_now_on(door):
    """And nothing of others."""
    work_off(door, 1)
    key = door.key("acme")
    with listen(door, key) as socket:
        heard(socket, 0)
        work_off(door, 2, tenant="beta")
        batch = work_off(door, 3)
        told = [json.loads(socket.recv(timeout=60)) for _ in ALL]
    assert [one["name"] for one in told] == ALL
    assert {one["tenant"] for one in told} == {"acme"}
    assert {one.get("batch") for one in told[1:]} == {batch}


def test_a_batch_is_heard_from_its_beginning(door):
    """By its id or the beginning of it, however late the listener comes."""
    batch = work_off(door, 1)
    with listen(door, door.key("acme"), f"?batch={batch[:12]}") as socket:
        assert [one["name"] for one in heard(socket, 5)] == ALL[1:]


def test_who_comes_back_with_a_cursor_has_missed_nothing(door, settings_of):
    """At whichever of several gateways: on from the last news, none twice."""
    key = door.key("acme")
    batch = work_off(door, 1)
    with listen(door, key, f"?batch={batch}") as socket:
        first = heard(socket, 2)
    work_off(door, 2)
    with (
        served(settings_of()) as another,
        listen(door, key, f"?after={first[-1]['cursor']}", another) as socket,
    ):
        rest = heard(socket, 3 + len(ALL))
    assert [one["name"] for one in rest] == [*ALL[3:], *ALL]
    cursors = [tuple(map(int, one["cursor"].split("-"))) for one in first + rest]
    assert cursors == sorted(set(cursors))


@pytest.mark.parametrize(
    ("key", "query", "code"),
    [
        ("pst_no_body", "", 4401),
        (None, "?batch=0000", 4404),
        (None, "?after=yesterday", 4400),
    ],
)
def test_who_may_not_listen_is_told_why(door, key, query, code):
    """By the code with which the connection is closed."""
    own = door.key("acme")
    with listen(door, key or own, query) as socket, pytest.raises(ConnectionClosedError) as closed:
        socket.recv(timeout=60)
    assert closed.value.rcvd.code == code


def test_nobody_listens_to_anothers_batch(door):
    """It is as if it were not there."""
    batch = work_off(door, 1)
    with (
        listen(door, door.key("beta"), f"?batch={batch}") as socket,
        pytest.raises(ConnectionClosedError) as closed,
    ):
        socket.recv(timeout=60)
    assert closed.value.rcvd.code == 4404


def test_a_browser_sends_its_key_as_a_subprotocol(door):
    """For it can set no header."""
    batch = work_off(door, 1)
    at = door.address.replace("http", "ws")
    with connect(f"{at}/v1/live?batch={batch}", subprotocols=["penstock.v1", door.key("acme")]) as socket:
        assert socket.subprotocol == "penstock.v1"
        assert heard(socket, 1)[0]["name"] == "batch.ready"


def test_a_listener_from_before_the_first_news_comes_back(door):
    """The cursor that it was given at first is one like any other."""
    key = door.key("acme")
    with listen(door, key) as socket:
        first = json.loads(socket.recv(timeout=60))
    work_off(door, 1)
    with listen(door, key, f"?after={first['cursor']}") as socket:
        assert [one["name"] for one in heard(socket, len(ALL))] == ALL


def test_a_key_that_is_revoked_hears_nothing_more(door, monkeypatch):
    """Its listener is sent away soon after."""
    monkeypatch.setattr(access, "KNOWN_S", 0.05)
    monkeypatch.setattr(live, "KNOWN_S", 0.05)
    key = door.key("acme")
    with listen(door, key) as socket:
        heard(socket, 0)
        revoke_key(door.book, key.split("_")[1], utc_now())
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd.code == 4401
