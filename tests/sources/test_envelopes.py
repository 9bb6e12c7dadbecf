"""Envelopes: what AWS and CloudEvents put around an event is opened, and what cannot be read says why."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.sources.aws.envelopes import DEEPEST, Claim, Created, Nothing, opened
from tasks.sources.aws.shapes import ObjectPlace, place_of
from tasks.sources.prepare import outcome_of
from tasks.sources.records import RawRecord

EVENT = {"id": "1", "source": "app", "type": "feedback.submitted", "tenant": "acme", "data": {"text": "late"}}
ENVELOPES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "full" / "envelopes"
needs_envelopes = pytest.mark.skipif(
    not ENVELOPES.is_dir(), reason="the shared envelopes are not beside this checkout"
)


def only(value, known=None):
    """What a message carries, which is one thing."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    (content,) = opened(raw, known or {})
    return content


def notification(message, **fields):
    """As SNS delivers it to a queue."""
    given = {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:topic"}
    return given | {"Timestamp": "2026-01-02T03:04:05.000Z", "Message": message} | fields


def stored(name="ObjectCreated:Put", key="in/a+file%C3%A9.ndjson"):
    """As S3 tells a queue of an object."""
    about = {"bucket": {"name": "inbox"}, "object": {"key": key, "size": 12, "versionId": "v1"}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": about}]}


def test_a_bare_event_is_itself():
    """And takes from its queue what it does not say."""
    assert only(EVENT, {"id": "m-9", "user": "ann"}).value == EVENT | {"user": "ann"}


def test_what_a_queue_says_stands_in_for_what_is_missing():
    """A body without an id is as often one event as it is delivered: its message's id is its own."""
    body = {"type": "system.alert", "data": {"text": "down"}}
    known = {"id": "m-1", "source": "arn:aws:sqs:eu-west-1:1:queue", "tenant": "acme"}
    assert only(body, known).value == body | known


def test_a_notification_is_opened():
    """With its attributes for what the message does not say, and its own id for a message that has none."""
    attributes = {"tenant": {"Type": "String", "Value": "acme"}, "other": {"Type": "String", "Value": "x"}}
    message = json.dumps({"type": "system.alert", "data": {"text": "down"}})
    content = only(notification(message, MessageAttributes=attributes))
    assert content.value["tenant"] == "acme"
    assert (content.value["id"], content.value["source"]) == ("m-1", "arn:aws:sns:eu-west-1:1:topic")
    assert content.value["time"] == "2026-01-02T03:04:05.000Z"


def test_an_event_with_an_id_of_its_own_is_the_same_when_it_is_sent_again():
    """When it was sent says nothing of it: the second would be another event under the same id."""
    known = {"id": "m-1", "source": "queue", "time": "2026-01-02T03:04:05Z"}
    assert "time" not in only(EVENT, known).value
    assert only({"type": "system.alert"}, known).value["time"] == known["time"]


def test_envelopes_in_one_another_are_opened():
    """EventBridge in SNS in a queue's message as a function gets it."""
    bridge = {
        "version": "0",
        "id": "b-1",
        "source": "helpdesk",
        "detail-type": "system.alert",
        "detail": {"text": "x"},
    }
    message = {"eventSource": "aws:sqs", "messageId": "q-1", "eventSourceARN": "arn:q"}
    content = only({"Records": [message | {"body": json.dumps(notification(json.dumps(bridge)))}]})
    assert (content.value["id"], content.value["detail"]) == ("b-1", {"text": "x"})


def test_envelopes_without_end_are_refused():
    """What lies deeper than anybody sends is a problem on record, and no stack that overflows."""
    text = json.dumps(EVENT)
    for _ in range(DEEPEST + 1):
        text = json.dumps(notification(text))
    assert "envelopes lie in one another" in only(text.encode()).problem


def test_an_object_that_was_made_is_named_as_it_is_called():
    """Keys are unquoted where S3 quotes them; with its version and size."""
    assert only(stored()) == Created(ObjectPlace("inbox", "in/a fileé.ndjson", "v1", 12))
    assert only(notification(json.dumps(stored()))) == only(stored())


def test_an_object_told_of_by_eventbridge_is_named_as_it_stands():
    """EventBridge does not quote keys."""
    detail = {"bucket": {"name": "inbox"}, "object": {"key": "a+b", "size": 3, "version-id": "v2"}}
    told = {"id": "1", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    assert only(told) == Created(ObjectPlace("inbox", "a+b", "v2", 3))
    assert isinstance(only(told | {"detail-type": "Object Deleted"}), Nothing)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (stored("ObjectRemoved:Delete"), "ObjectRemoved:Delete, which brings nothing"),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "inbox"}, "tried whether it may"),
        (notification("x", Type="SubscriptionConfirmation"), "SubscriptionConfirmation of arn:aws:sns"),
        ([], "an empty batch"),
    ],
)
def test_what_brings_nothing_is_no_fault(message, said):
    """It is done with, and says why."""
    assert said in only(message).why


def test_a_claim_check_names_where_the_rest_is():
    """As AWS's own library sends it, as an address, and as CloudEvents' extension for the data alone."""
    pointer = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "big", "s3Key": "k/1"}]
    place = ObjectPlace("big", "k/1")
    assert only(pointer, {"id": "m-1"}) == Claim(place, {"id": "m-1"})
    assert only({"claimCheck": "s3://big/k/1"}) == Claim(place, {})
    event = {name: value for name, value in EVENT.items() if name != "data"}
    assert only(event | {"dataref": "s3://big/k/1"}) == Claim(place, {}, event)
    assert "like s3://bucket/key" in only({"claimCheck": "https://example.com/x"}).problem
    assert place_of("s3://big") is None


def test_a_batch_is_as_many_events_as_it_holds():
    """None of them gets the message's id, for they would be one."""
    known = {"id": "m-1", "time": "2026-01-01T00:00:00Z", "tenant": "beta"}
    contents = list(opened(json.dumps([EVENT, {"type": "system.alert"}, 7]).encode(), known))
    alert = {"type": "system.alert", "tenant": "beta"}
    assert [content.value for content in contents] == [EVENT, alert, None]
    assert contents[2].problem == "the message is a number, not a JSON object"


def test_one_of_many_is_kept_without_the_others():
    """What is kept of a rejected event is itself: of the whole message each time it would be far too much."""
    many = [{"id": str(number), "text": "x" * 50} for number in range(1_000)]
    assert sum(len(one.raw) for one in opened(json.dumps(many).encode(), {})) < 2 * len(json.dumps(many))
    assert "10,001 events" in only([1] * 10_001).problem


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"Test message.", "not valid JSON"),
        (b'"text"', "is a text, not a JSON object"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "records of 'aws:kinesis' are not read"),
        ({"source": "aws.s3", "detail-type": "Object Created"}, "not as AWS makes it"),
        ({"Records": [7]}, "records of None are not read"),
        ({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}, "s3: Field required"),
        ({"Type": "Notification", "TopicArn": "t"}, "not as AWS makes it: MessageId: Field required"),
        (["a.PayloadS3Pointer", {"s3Key": "k"}], "s3BucketName: Field required"),
    ],
)
def test_what_is_no_envelope_and_no_event_says_what_it_is(message, said):
    """It is a record with a problem, and what came is kept."""
    content = only(message)
    assert said in content.problem
    assert content.raw == (message if isinstance(message, bytes) else json.dumps(message).encode())


def test_one_broken_record_of_several_takes_none_with_it():
    """Those beside it are read."""
    good = stored()["Records"][0]
    contents = list(opened(json.dumps({"Records": [good, {"eventSource": "aws:s3"}, good]}).encode(), {}))
    assert [type(one) for one in contents] == [Created, RawRecord, Created]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Records", "eventSource", "Type", "TopicArn", "Message", "detail-type", "source", "detail"]
            )
            | st.sampled_from(
                ["body", "messageId", "s3", "bucket", "object", "key", "dataref", "claimCheck", "Sns", "id"]
            )
            | st.text(max_size=5),
            inner
            | st.sampled_from(
                ["aws:sqs", "aws:sns", "aws:s3", "aws.s3", "Object Created", "ObjectCreated:Put"]
            ),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_comes_is_something(raw):
    """An event, a reference, nothing, or a problem; never an exception, and never silence."""
    contents = list(opened(raw, {"id": "m-1", "source": "queue"}))
    assert contents
    assert all(isinstance(one, RawRecord | Created | Claim | Nothing) for one in contents)


@needs_envelopes
@pytest.mark.parametrize(
    "path", sorted((ENVELOPES / "powertools").glob("*.json")), ids=lambda path: path.stem
)
def test_every_sample_of_aws_is_taken_or_refused_for_a_reason(path, mapper):
    """AWS's documented samples, each as it would lie in a queue."""
    contents = list(opened(path.read_bytes(), {"id": "m-1", "source": "queue", "tenant": "acme"}))
    assert contents
    for content in contents:
        if isinstance(content, RawRecord):
            outcome = outcome_of(content, "queue", mapper)
            assert outcome.reason
            assert "Traceback" not in outcome.reason


def _cloud_events():
    for path in sorted((ENVELOPES / "cloudevents").rglob("*.yaml")) if ENVELOPES.is_dir() else []:
        for number, document in enumerate(yaml.safe_load_all(path.read_text())):
            if isinstance(document, dict):
                yield pytest.param(document, id=f"{path.parent.name}-{path.stem}-{number}")


@needs_envelopes
@pytest.mark.parametrize("document", list(_cloud_events()))
def test_every_conformance_sample_of_cloudevents_is_taken_or_refused_for_a_reason(document, mapper):
    """With one of our kinds as its type a version 1.0 sample is an event; others are refused by name."""
    attributes = dict(document["ContextAttributes"])
    extensions = attributes.pop("Extensions", {})
    version = str(attributes.get("specversion", ""))
    record = (
        attributes | extensions | {"specversion": version, "data": document.get("Data"), "tenant": "acme"}
    )
    known = outcome_of(as_record(record | {"type": "feedback.submitted"}), "queue", mapper)
    unknown = outcome_of(as_record(record), "queue", mapper)
    assert "is not known" in unknown.reason
    assert ("specversion" in known.reason) if version != "1.0" else known.payload


def as_record(value):
    """A record as a queue's message carries it."""
    return only(json.dumps(value, default=str).encode())
