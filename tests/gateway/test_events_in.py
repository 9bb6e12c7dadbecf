"""Events over HTTP: every form is taken, each event once, and what is acknowledged is in the ledger."""

import json
import threading

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from contracts.attachments import Attachment
from ledger.attachments import Kept, refuse_attachment
from ledger.intake import read_rejections
from ledger.status import status
from tasks.attachments.letters import letter_about
from tasks.attachments.refusals import AttachmentTypeError
from tasks.runtime import utc_now
from tests.gateway.conftest import EVENT

CLOUD = "application/cloudevents+json"


def accepted(door):
    """How many events the ledger has."""
    return status(door.book)["events"]["accepted"]


def test_an_event_is_acknowledged_when_it_is_in_the_ledger(door, acme):
    """With its id, and an address at which to ask what becomes of it; sent again it is a duplicate."""
    first, again = acme.post("/v1/events", json=EVENT), acme.post("/v1/events", json=EVENT)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["outcome"] == "accepted"
    assert again.json() == first.json() | {"outcome": "duplicate"}
    assert accepted(door) == 1
    told = acme.get(first.headers["location"])
    assert told.json() | {"accepted_at": ""} == {
        "id": "1",
        "source": "app",
        "type": "feedback.submitted",
        "priority": "LOW",
        "accepted_at": "",
        "batches": [],
        "attachments": [],
    }


def test_the_same_id_with_other_content_is_refused(door, acme):
    """It says which, and is on record."""
    acme.post("/v1/events", json=EVENT)
    refused = acme.post("/v1/events", json=EVENT | {"data": {"text": "early"}})
    assert refused.status_code == 422
    assert "already exists with other content" in refused.json()["detail"]
    assert accepted(door) == 1


def cloud_event(number="1"):
    """As the SDK of CloudEvents makes it."""
    attributes = {
        "id": number,
        "source": "/shop",
        "type": "system.alert",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes=attributes, data={"text": "down"})


@pytest.mark.parametrize("made", [to_structured_event, to_binary_event])
def test_cloud_events_are_taken_as_their_sdk_sends_them(door, acme, made):
    """Structured, and binary with its attributes in headers."""
    message = made(cloud_event())
    answer = acme.post("/v1/events", content=message.body, headers=message.headers)
    assert (answer.status_code, answer.json()["id"]) == (202, "1")
    assert accepted(door) == 1


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("application/cloudevents-batch+json", json.dumps),
        ("application/json", json.dumps),
        ("application/x-ndjson", lambda events: "\n".join(map(json.dumps, events))),
    ],
)
def test_a_batch_is_answered_item_by_item(door, acme, kind, write):
    """In its order: what was accepted, what was there, what was rejected and why."""
    base = EVENT | {"specversion": "1.0"}
    events = [base, base, base | {"id": "2", "type": "lost"}, base | {"id": "3"}]
    answer = acme.post("/v1/events", content=write(events), headers={"content-type": kind})
    assert answer.status_code == 207
    told = answer.json()
    assert [one["outcome"] for one in told["events"]] == ["accepted", "duplicate", "rejected", "accepted"]
    assert "type 'lost' is not known" in told["events"][2]["reason"]
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (2, 1, 1)
    assert accepted(door) == 2


def test_many_senders_at_once_are_all_told_the_truth(door):
    """What is acknowledged to any of them is in the ledger, and nothing else."""
    outcomes = []

    def send(number):
        with door.client() as client:
            for at in range(20):
                # Two senders each send the same twenty.
                event = EVENT | {"id": f"{number // 2}-{at}"}
                outcomes.append(client.post("/v1/events", json=event).json()["outcome"])

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    assert outcomes.count("accepted") == outcomes.count("duplicate") == 80
    assert accepted(door) == 80


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"{", {}, 422, "not valid JSON"),
        (b"", {}, 422, "not valid JSON"),
        (b"\xff\xfe{}", {}, 422, "not UTF-8"),
        (b"7", {}, 422, "a number, not a JSON object"),
        (
            b"{}",
            {"content-type": "text/xml"},
            415,
            "'text/xml' is not read; send one of application/cloudevents",
        ),
        (b"{}", {"content-type": "application/cloudevents-batch+json"}, 400, "is a JSON array"),
        (b"{}", {"content-type": CLOUD}, 422, "no CloudEvent"),
        (
            b'{"specversion": "1.0", "source": "a", "type": "system.alert"}',
            {"content-type": CLOUD},
            422,
            "no id",
        ),
        (b"x", {"ce-specversion": "1.0", "ce-id": "1"}, 422, "no CloudEvent"),
        (
            b"{}",
            {"ce-specversion": "9.9", "ce-id": "1", "ce-type": "system.alert", "ce-source": "a"},
            422,
            "specversion",
        ),
        (json.dumps(EVENT | {"priority": "soon"}).encode(), {}, 422, "priority 'soon' is not known"),
        (
            json.dumps(EVENT | {"data": {"text": "x" * 300_000}}).encode(),
            {},
            422,
            "larger than 262,144 bytes",
        ),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(door, acme, body, headers, status, said):
    """As a problem that says what was wrong; nothing of it is an event."""
    answer = acme.post("/v1/events", content=body, headers={"content-type": "application/json"} | headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert accepted(door) == 0


def test_a_request_has_so_many_events_at_most(door, acme):
    """However small they are."""
    answer = acme.post(
        "/v1/events", content=b"[" + b"1," * 10_000 + b"1]", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert "10,000 events" in answer.json()["detail"]
    assert accepted(door) == 0


def test_a_batch_of_nothing_is_nothing(door, acme):
    """And no fault."""
    answer = acme.post("/v1/events", json=[])
    assert (answer.status_code, answer.json()["events"]) == (207, [])
    assert accepted(door) == 0


def test_what_was_rejected_is_on_record(door, acme):
    """For the operator, who is asked about it."""
    acme.post("/v1/events", json=EVENT | {"type": "lost"})
    (refused,) = read_rejections(door.book, 5)
    assert (refused.origin, refused.tenant) == ("http", "acme")
    assert json.loads(refused.raw)["type"] == "lost"


def test_an_events_files_stand_with_it(door, acme):
    """Those of the key's own tenant, with why one was refused."""
    where = acme.post("/v1/events", json=EVENT).headers["location"]
    given = {
        "source": "app",
        "event": "1",
        "bucket": "b",
        "key": "k",
        "version": "v",
        "is_versioned": False,
        "stored_at": utc_now(),
    }
    file = Attachment(id="a-1", tenant="acme", name="a.svg", **given)
    letter = letter_about(file, AttachmentTypeError("its content is none of ours"), 1, utc_now(), utc_now())
    assert refuse_attachment(door.book, file, letter) is Kept.NEW
    told = {"id": "a-1", "name": "a.svg", "state": "REFUSED", "reason": "its content is none of ours"}
    assert acme.get(where).json()["attachments"] == [told | {"media_type": None}]
    with door.client("beta") as beta:
        mine = beta.post("/v1/events", json=EVENT).headers["location"]
        assert beta.get(mine).json()["attachments"] == []
