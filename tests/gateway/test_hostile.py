"""What nobody well-meaning sends: slow, endless, broken and random requests cost one answer, and nothing is taken."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.http import protocol
from ledger.engine import close_ledger, open_ledger
from tasks.settings import Settings
from tests.commands import free_port
from tests.gateway.conftest import EVENT, Door, served
from tests.gateway.test_events_in import accepted
from tests.worlds import until

PENSTOCK = Path(sys.executable).with_name("penstock")


def raw(door, text):
    """What a connection answers to bytes, until it is closed."""
    host, port = door.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


def test_who_does_not_finish_a_header_is_cut_off(door, monkeypatch):
    """A connection that says nothing, or a letter a minute, is closed in time."""
    monkeypatch.setattr(protocol, "HEADERS_WITHIN_S", 0.2)
    for text in (b"", b"POST /v1/events HTTP/1.1\r\nhost: a\r\nx-slow: "):
        assert raw(door, text) == b""


def test_a_body_that_does_not_come_is_refused(settings_of, door):
    """With 408, and nothing of it is an event."""
    with served(settings_of(http_body_s=0.2)) as address:
        slow = Door(address, door.book)
        head = f"POST /v1/events HTTP/1.1\r\nhost: a\r\nx-api-key: {door.key('acme')}\r\ncontent-length: 99\r\n\r\n"
        assert raw(slow, head.encode() + b'{"id"').startswith(b"HTTP/1.1 408")
    assert accepted(door) == 0


@pytest.mark.parametrize("text", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST /v1/events HTTP/9\r\n\r\n"])
def test_what_is_no_http_is_refused(door, text):
    """And the gateway answers the next one."""
    assert raw(door, text).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{door.address}/openapi.json").status_code == 200


headers = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "ce-id",
            "ce-type",
            "ce-source",
            "ce-specversion",
            "ce-time",
            "ce-tenant",
            "ce-dataschema",
        ]
    ),
    st.sampled_from(
        ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "1.0"]
    )
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    max_size=6,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*EVENT, "tenant", "time", "specversion", "priority"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=80) | values.map(lambda value: json.dumps(value).encode())


@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(headers, bodies), min_size=5, max_size=5))
def test_whatever_is_sent_is_answered(anything, requests):
    """Five thousand requests: each is taken or refused in words, none is an error of ours."""
    for given_headers, body in requests:
        answer = anything.post("/v1/events", content=body, headers=given_headers)
        assert answer.status_code in {200, 202, 207, 400, 413, 415, 422}, answer.text
        if answer.status_code >= 400:
            assert answer.json()["detail"]


@pytest.fixture(scope="module")
def anything(tmp_path_factory):
    """A client that may send as much as it likes."""
    home = tmp_path_factory.mktemp("anything")
    url = f"sqlite:///{home / 'ledger.db'}"
    with served(Settings(home=home, database_url=SecretStr(url), http_events_per_s=1e9)) as address:
        book = open_ledger(url)
        with Door(address, book).client() as client:
            yield client
        close_ledger(book)


def test_a_gateway_that_is_stopped_under_load_has_kept_what_it_acknowledged(tmp_path, sqlite_url):
    """Whoever was answered with 202 finds the event in the ledger; whoever was not sends again."""
    book = open_ledger(sqlite_url)
    key = Door("", book).key("acme")
    port = free_port()
    environment = os.environ | {"PENSTOCK_HOME": str(tmp_path), "PENSTOCK_DATABASE_URL": sqlite_url}
    environment |= {"PENSTOCK_HTTP_EVENTS_PER_S": "1000000"}
    gateway = subprocess.Popen(
        [PENSTOCK, "serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    acknowledged = []

    def send(number):
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"x-api-key": key}, timeout=60
        ) as client:
            for at in range(100_000):
                try:
                    answer = client.post("/v1/events", json=EVENT | {"id": f"{number}-{at}"})
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    acknowledged.append(f"{number}-{at}")

    asyncio.run(until(lambda: is_open(port)))
    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for one in senders:
        one.start()
    asyncio.run(until(lambda: len(acknowledged) > 200))
    gateway.send_signal(signal.SIGTERM)
    for one in senders:
        one.join()
    assert gateway.wait(60) in {0, 130, -signal.SIGTERM}
    with book.connect() as connection:
        rows = connection.exec_driver_sql("SELECT json_extract(payload, '$.id') FROM events").scalars().all()
    close_ledger(book)
    assert set(acknowledged) <= set(rows)


def is_open(port):
    """Whether somebody listens there."""
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
