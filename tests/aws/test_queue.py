"""Queues: what they hold is in the ledger before it leaves them, whatever fails on the way."""

import asyncio
import json
import sqlite3
import threading
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config

from ledger.intake import read_rejections
from tasks.sources.aws.clients import AwsClients
from tests.aws.conftest import ACCOUNT
from tests.worlds import until

EVENT = {"source": "app", "type": "feedback.submitted", "tenant": "acme", "data": {"text": "late"}}


@pytest.fixture
def send(clients):
    """Sends bodies to a queue, ten in a request."""

    def sent(address, bodies, **fields):
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        for start in range(0, len(texts), 10):
            entries = [
                {"Id": str(at), "MessageBody": text, **fields}
                for at, text in enumerate(texts[start : start + 10])
            ]
            answer = clients.sqs.send_message_batch(QueueUrl=address, Entries=entries)
            assert not answer.get("Failed")

    return sent


@pytest.fixture
def locked(book):
    """The ledger, locked by somebody else for the time of the block."""

    @contextmanager
    def hold():
        other = sqlite3.connect(book.url.database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    return hold


def events_in(book):
    """The ids of the events in the ledger, and whose they are."""
    with book.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT json_extract(payload, '$.id'), tenant FROM events ORDER BY 1"
        )
        return [tuple(row) for row in rows]


def numbered(count, **fields):
    """Events with ids of their own."""
    return [EVENT | {"id": f"{number:04}"} | fields for number in range(count)]


def test_what_a_queue_holds_is_taken_in_and_leaves_it(book, queue, send, consumer, left):
    """Every message, whatever it is wrapped in, and none twice."""
    address = queue()
    notice = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Timestamp": "2026-01-01T00:00:00Z"}
    bodies = numbered(25)
    wrapped = [notice | {"Message": json.dumps(EVENT | {"id": "sns"})}, bodies[0]]
    send(address, [*bodies, *wrapped])
    tally = consumer(address).run(threading.Event(), until_empty=True)
    assert len(events_in(book)) == 26
    assert (tally.messages, tally.counts.accepted, tally.counts.duplicates) == (27, 26, 1)
    assert left(address) == (0, 0)


def test_what_a_message_says_of_its_event_stands_in_for_what_is_missing(book, queue, send, consumer):
    """Its attributes name the tenant, its id is the event's, the time of sending when it happened."""
    address = queue()
    attributes = {"tenant": {"DataType": "String", "StringValue": "beta"}}
    body = {"type": "system.alert", "data": {"text": "down"}}
    send(address, [body], MessageAttributes=attributes)
    consumer(address).run(threading.Event(), until_empty=True)
    ((event_id, tenant),) = events_in(book)
    assert len(event_id) == 36
    assert tenant == "beta"


def test_what_cannot_be_an_event_is_on_record_and_leaves_the_queue(book, queue, send, consumer, left):
    """With the reason and all that came; the messages beside it are events."""
    address = queue()
    send(address, ["Test message.", "{", json.dumps({"id": "x", "type": "lost"}), *numbered(1)])
    consumer(address).run(threading.Event(), until_empty=True)
    refused = {one.raw: one.reason for one in read_rejections(book, 10)}
    assert refused["Test message."].startswith("the text is not valid JSON")
    assert "type 'lost' is not known" in refused['{"id": "x", "type": "lost"}']
    assert len(refused) == 3
    assert len(events_in(book)) == 1
    assert left(address) == (0, 0)


def test_a_message_leaves_only_when_the_ledger_has_it(book, queue, send, consumer, left, locked):
    """While the ledger is locked nothing is deleted; then everything is, once."""
    address, stop = queue(), threading.Event()
    send(address, numbered(30))
    working = consumer(address)
    running = threading.Thread(target=working.run, args=(stop,))
    with locked():
        running.start()
        asyncio.run(until(lambda: left(address) == (0, 30)))
        assert working.tally.messages == 0
    asyncio.run(until(lambda: left(address) == (0, 0)))
    stop.set()
    running.join()
    assert len(events_in(book)) == 30
    assert (working.tally.counts.accepted, working.tally.counts.rejected) == (30, 0)


def test_what_is_not_in_the_ledger_at_the_end_is_everybodys_again(queue, send, consumer, left, locked):
    """A consumer that is stopped gives back what it has at once, and does not wait for it to become visible."""
    address, stop = queue(), threading.Event()
    send(address, numbered(30))
    working = consumer(address, visible_after_s=600)
    running = threading.Thread(target=working.run, args=(stop,))
    with locked():
        running.start()
        asyncio.run(until(lambda: left(address) == (0, 30)))
        stop.set()
        running.join()
    assert left(address) == (30, 0)
    assert working.tally.messages == 0


@pytest.fixture
def without_s3(clients):
    """The same AWS, of which S3 cannot be reached."""
    nothing = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=nothing, **ACCOUNT)
    return AwsClients(clients.sqs, s3, clients.sns)


def test_a_message_whose_object_cannot_be_had_goes_back_alone(book, queue, send, consumer, left, without_s3):
    """Those beside it are taken in and leave."""
    address = queue()
    send(address, [*numbered(5), {"claimCheck": "s3://big/one"}])
    tally = consumer(address, using=without_s3).run(threading.Event(), until_empty=True)
    assert (tally.messages, tally.back) == (5, 1)
    assert len(events_in(book)) == 5
    assert sum(left(address)) == 1


def test_what_fails_again_and_again_goes_to_the_queues_own_dead_letters(
    clients, queue, send, consumer, left, without_s3
):
    """After as many deliveries as its redrive policy says, and not sooner."""
    dead = queue()
    arn = clients.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    address = queue(RedrivePolicy=policy)
    send(address, [{"claimCheck": "s3://big/one"}])
    working = consumer(address, using=without_s3, back_off_s=0)
    tallies = [working.run(threading.Event(), until_empty=True) for _ in range(3)]
    assert tallies[-1].back == 2
    assert left(address) == (0, 0)
    assert left(dead) == (1, 0)


def test_a_rejection_says_how_often_its_message_was_delivered(book, clients, queue, send, consumer):
    """The receive count of the queue goes with it."""
    address = queue(VisibilityTimeout="0")
    send(address, ["poison"])
    assert clients.sqs.receive_message(QueueUrl=address)["Messages"]
    consumer(address).run(threading.Event(), until_empty=True)
    assert read_rejections(book, 1)[0].reason.endswith("(delivered 2 times)")


def test_what_takes_long_is_kept_from_others(clients, queue, send, consumer, left, locked):
    """Its time is extended before it is over: somebody else who waits at the queue for longer gets nothing."""
    address, stop = queue(), threading.Event()
    send(address, numbered(3))
    running = threading.Thread(target=consumer(address, visible_after_s=1).run, args=(stop,))
    with locked():
        running.start()
        asyncio.run(until(lambda: left(address) == (0, 3)))
        assert not clients.sqs.receive_message(QueueUrl=address, WaitTimeSeconds=3).get("Messages")
    asyncio.run(until(lambda: left(address) == (0, 0)))
    stop.set()
    running.join()


def test_two_consumers_share_a_queue(book, queue, send, consumer, left):
    """What one has the other does not get; together they have everything once."""
    address = queue()
    send(address, numbered(200))
    tallies = []
    pair = [
        threading.Thread(
            target=lambda: tallies.append(consumer(address).run(threading.Event(), until_empty=True))
        )
        for _ in range(2)
    ]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert sum(tally.counts.accepted for tally in tallies) == 200
    assert len(events_in(book)) == 200
    assert left(address) == (0, 0)


def test_a_fifo_queue_is_a_queue(book, queue, clients, consumer, left):
    """Messages of many groups are taken in as those of any other."""
    address = queue(FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(12):
        body = json.dumps(EVENT | {"id": str(number)})
        clients.sqs.send_message(QueueUrl=address, MessageBody=body, MessageGroupId=f"t-{number % 3}")
    consumer(address).run(threading.Event(), until_empty=True)
    assert len(events_in(book)) == 12
    assert left(address) == (0, 0)


def test_a_message_may_hold_more_than_an_event_may(book, queue, send, consumer, left):
    """Two thousand small events in 600 KB; one event of that size is on record, whole."""
    address = queue(MaximumMessageSize="1048576")
    send(address, [json.dumps(numbered(2_000, data={"text": "x" * 200}))])
    send(address, [json.dumps(EVENT | {"id": "large", "data": {"text": "x" * 300_000}})])
    tally = consumer(address).run(threading.Event(), until_empty=True)
    assert (tally.counts.accepted, tally.counts.rejected) == (2_000, 1)
    (refused,) = read_rejections(book, 5)
    assert "larger than 262,144 bytes" in refused.reason
    assert len(refused.raw) > 300_000
    assert left(address) == (0, 0)
