"""What a gateway did, for Prometheus: every refusal is counted and in the log, and no tenant is named."""

import asyncio
import json
import logging
import socket
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.http import protocol
from tests.gateway.conftest import EVENT, Door, served
from tests.gateway.test_access import SECRET, signed
from tests.gateway.test_hostile import raw
from tests.worlds import until

TOKEN = "a-token-of-the-operators"  # noqa: S105 - of this test


@pytest.fixture
def measured(settings_of, door):
    """A gateway that tells what it did to whoever has the token."""
    with served(settings_of(metrics_token=TOKEN, http_events_per_s=5, http_body_bytes=10_000)) as address:
        yield Door(address, door.book)


def samples(door):
    """Everything that is counted: by name and labels."""
    answer = httpx.get(f"{door.address}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def refused(door):
    """How many requests were refused, by reason."""
    return {
        key[1]: int(value) for key, value in samples(door).items() if key[0] == "penstock_http_refused_total"
    }


def test_without_the_token_there_is_no_such_page(measured, door):
    """Nor where none is set; a tenant's key is none."""
    with measured.client() as acme:
        assert acme.get("/metrics").status_code == 404
    assert httpx.get(f"{measured.address}/metrics").status_code == 404
    token = {"authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{door.address}/metrics", headers=token).status_code == 404


def test_what_became_of_events_is_counted_and_how_long_answers_took(measured):
    """By the route's pattern: addresses hold ids."""
    with measured.client() as acme:
        event = acme.post("/v1/events", json=EVENT).json()["status"]
        acme.post("/v1/events", json=EVENT)
        acme.post("/v1/events", json=EVENT | {"tenant": "beta"})
        acme.get(event)
    found = samples(measured)
    became = {key[1]: value for key, value in found.items() if key[0] == "penstock_http_events_total"}
    assert became == {"accepted": 1, "duplicate": 1, "rejected": 1}
    assert found["penstock_http_request_seconds_count", "/v1/events", "202"] == 1
    assert found["penstock_http_request_seconds_count", "/v1/events/{key}", "200"] == 1
    assert not any("acme" in str(key) or "beta" in str(key) for key in found)


def test_the_installations_gauges_are_there_too(measured):
    """As `penstock status --watch` shows them."""
    found = samples(measured)
    assert found["penstock_queue_wait", "HIGH"] == 0
    assert found["penstock_queue_batches", "HIGH", "ready"] == 0


def test_whatever_is_refused_is_counted_and_in_the_log(measured, monkeypatch, caplog):
    """Unknown tenants, wrong, replayed and expired signatures, what is too large, too many, too slow, or no event."""
    monkeypatch.setattr(protocol, "HEADERS_WITHIN_S", 0.2)
    caplog.set_level(logging.INFO, "penstock")
    measured.key("acme", signing_secret=SECRET)
    now, body = datetime.now(UTC), json.dumps(EVENT)
    with measured.client() as acme:
        httpx.post(f"{measured.address}/v1/events", json=EVENT, headers={"x-api-key": "pst_nobody"})
        signed(measured, body, at=now - timedelta(minutes=6))
        for _ in range(2):
            signed(measured, body, at=now, message="same")
        acme.post("/v1/events", content=b"x" * 10_001)
        acme.post("/v1/events", content=b"\xff\xfe", headers={"content-type": "application/json"})
        acme.post("/v1/events", json=EVENT | {"tenant": "beta"})
        acme.get("/v1/events/" + "0" * 32)
        acme.get("/nowhere")
        for number in range(12):
            acme.post("/v1/events", json=EVENT | {"id": f"n-{number}"})
    host, port = measured.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nx-slow: ")
        assert slow.recv(100) == b""
    found = refused(measured)
    assert {name: found[name] for name in found if name not in {"Too many events", "Rejected"}} == {
        "Not let in": 1,
        "Wrong signature": 1,
        "Sent before": 1,
        "Too large": 1,
        "Unknown event": 1,
        "Not Found": 1,
        "Headers too slow": 1,
    }
    assert found["Too many events"] >= 1
    assert found["Rejected"] == 2
    said = [one.getMessage() for one in caplog.records]
    assert all(any(f", {name}: " in line for line in said) for name in found)
    assert not any("0" * 32 in line.partition(" refused")[0] for line in said)


def test_headers_have_a_largest_size(measured):
    """Whoever sends more is cut off, with or without a key."""
    host, port = measured.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nx-long: ")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall(b"x" * 100_000_000)
    assert refused(measured)["Headers too large"] == 1


def test_what_is_no_http_is_counted(measured):
    """As every refusal is."""
    assert raw(measured, b"\x00\x01\x02\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert refused(measured)["Not HTTP"] == 1


def test_what_is_rejected_of_a_batch_is_counted_and_logged_by_its_kind(measured, caplog):
    """Another tenant's event is not lost among those that are merely wrong."""
    caplog.set_level(logging.INFO, "penstock")
    with measured.client() as acme:
        acme.post("/v1/events", json=EVENT)
        several = [
            EVENT | {"data": {"text": "other"}},
            EVENT | {"id": "2", "type": "nobody.knows"},
            EVENT | {"id": "3", "tenant": "beta"},
            EVENT | {"id": "4", "tenant": "beta"},
            EVENT | {"id": "5"},
        ]
        assert acme.post("/v1/events", json=several).json()["rejected"] == 4
    name = "penstock_http_events_rejected_total"
    found = {key[1]: value for key, value in samples(measured).items() if key[0] == name}
    assert found == {"Other content": 1, "No event": 1, "Another tenant's": 2}
    said = [one.getMessage() for one in caplog.records]
    assert all(any(f"of acme rejected, {kind}: " in line for line in said) for kind in found)


def test_while_the_ledger_is_away_what_was_counted_is_still_told(settings_of, copied_postgres):
    """That is when it is needed."""
    with served(settings_of(database_url=copied_postgres, metrics_token=TOKEN)) as address:
        door = Door(address, None)
        assert samples(door)["penstock_ledger_up",] == 1
        name = copied_postgres.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(copied_postgres.replace(f"/{name}?", "/postgres?"), autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            server.execute(kill, (name,))
            assert httpx.get(f"{address}/readyz").status_code == 503
            asyncio.run(until(lambda: samples(door)["penstock_ledger_up",] == 0))
            assert refused(door)["Not now"] >= 1
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
