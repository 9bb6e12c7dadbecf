"""Attachments from S3: each is on record, or a dead letter, before its message leaves the queue, and only once."""

import asyncio
import io
import json
import re
import sqlite3
import threading
from contextlib import closing
from hashlib import sha256

import boto3
import pytest
from botocore.config import Config
from PIL import Image

from contracts.attachments import AttachmentState
from flows.attachments import Desk, take_replayed
from ledger.attachment_reads import list_attachments, read_attachment
from ledger.dead_letters import LetterFilter, list_letters, read_letter
from ledger.engine import close_ledger, open_ledger
from ledger.intake import read_rejections
from ledger.replays import replay_letter
from tasks.attachments.intake import Outcome
from tasks.attachments.store import MOST_BYTES
from tasks.attachments.workshop import IN_FLIGHT, Workshop
from tasks.redaction.findings import Finding
from tasks.redaction.pseudonyms import Pseudonyms
from tasks.redaction.redactor import Redactor
from tasks.sources.aws.clients import AwsClients
from tasks.sources.aws.shapes import ObjectPlace
from tests.attachments import files
from tests.aws.attached import Inbox
from tests.aws.conftest import ACCOUNT


@pytest.fixture
def inbox(clients, bucket, queue, book, clock):
    """An inbox of its own."""
    return Inbox(clients, bucket, queue(), book, clock)


def test_a_file_is_checked_read_made_small_and_marked(inbox, left):
    """And on record with all of it; its message leaves the queue."""
    content = files.png((640, 400), Title="Error 42")
    tally = inbox.told(content, name="screen shot.png", event="T/1")
    assert (tally.messages, tally.kept, left(inbox.queue)) == (1, 1, (0, 0))
    kept = inbox.one().attachment
    assert (kept.tenant, kept.source, kept.event, kept.name) == ("acme", "test", "T/1", "screen shot.png")
    found = kept.findings
    assert (found.media_type, found.size, found.text) == ("image/png", len(content), "Error 42")
    assert found.sha256 == sha256(content).hexdigest()
    assert found.details == {"width": 640, "height": 400, "frames": 1}
    with Image.open(io.BytesIO(inbox.content(found.thumbnail))) as small:
        assert small.size == (320, 200)
    with Image.open(io.BytesIO(inbox.content(found.marked))) as marked:
        assert (marked.size, marked.format) == ((640, 400), "PNG")


def test_results_go_where_the_operator_says(inbox):
    """Each into a place of its tenant and event."""
    inbox.results = f"s3://{inbox.bucket}/results/"
    inbox.told(files.pdf("Invoice 42"), name="a.pdf")
    found = inbox.one().attachment
    place = f"s3://{inbox.bucket}/results/acme/test/1/{found.id}"
    assert (found.findings.thumbnail, found.findings.marked) == (
        f"{place}/thumbnail.webp",
        f"{place}/marked.pdf",
    )
    assert inbox.content(found.findings.marked).startswith(b"%PDF-")


def test_told_of_twice_it_is_one(inbox):
    """A repeat is a success that does nothing: neither work nor a row nor an object more."""
    key = inbox.put(files.png())
    inbox.tell(inbox.notice(key))
    assert inbox.take().kept == 1
    first, objects = inbox.one(), inbox.objects()
    for one in objects - {key}:
        inbox.clients.s3.delete_object(Bucket=inbox.bucket, Key=one)
    sns = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Timestamp": "2026-01-01T00:00:00Z"}
    bridge = {"source": "aws.s3", "detail-type": "Object Created"}
    bridge |= {"detail": {"bucket": {"name": inbox.bucket}, "object": {"key": key}}}
    inbox.tell(inbox.notice(key), sns | {"Message": json.dumps(inbox.notice(key))}, bridge)
    tally = inbox.take()
    assert tally.kept == 0
    assert tally.duplicates >= 3
    assert inbox.one() == first
    assert inbox.objects() == {key}


def test_the_same_told_by_two_at_once_is_one(inbox):
    """Whoever writes first has it; the other's work comes to nothing."""
    key = inbox.put(files.png())
    inbox.tell(*[inbox.notice(key)] * 4)

    async def both():
        return await asyncio.gather(*(inbox.taking(threading.Event()) for _ in range(2)))

    tallies = asyncio.run(both())
    assert sum(one.kept for one in tallies) == 1
    assert inbox.one().state is AttachmentState.KEPT


def test_a_version_that_is_told_of_is_taken_and_no_other(inbox):
    """In a bucket that keeps versions, each is an attachment of its own; what is known is not even asked for."""
    inbox.clients.s3.put_bucket_versioning(Bucket=inbox.bucket, VersioningConfiguration={"Status": "Enabled"})
    key = inbox.put(files.png(Title="old"))
    versions = inbox.clients.s3.list_object_versions(Bucket=inbox.bucket)["Versions"]
    (old,) = [one["VersionId"] for one in versions]
    inbox.put(files.png(Title="new"))
    inbox.tell(inbox.notice(key, versionId=old))
    assert inbox.take().kept == 1
    assert inbox.one().attachment.findings.text == "old"
    inbox.tell(inbox.notice(key))
    assert inbox.take().kept == 1
    ids = [one.attachment.id for one in list_attachments(inbox.ledger)]
    texts = {read_attachment(inbox.ledger, one).attachment.findings.text for one in ids}
    assert texts == {"old", "new"}
    inbox.clients.s3.delete_object(Bucket=inbox.bucket, Key=key, VersionId=old)
    inbox.tell(inbox.notice(key, versionId=old))
    assert inbox.take().duplicates == 1


REFUSED = {
    "AttachmentTypeError": (b"<svg/>", "its content is none of"),
    "AttachmentTooLargeError": (files.png() + bytes(MOST_BYTES), "bytes; 52,428,800 are taken"),
    "DecompressionBombError": (files.png_bomb(), "unpacks to 900,000,000 pixels"),
    "BrokenAttachmentError": (files.png((400, 400))[:150], "cannot be read"),
}


@pytest.mark.parametrize("error", REFUSED)
def test_what_is_refused_is_a_dead_letter_with_its_reason(inbox, left, error):
    """And with what to do; told of again, nothing more happens."""
    content, said = REFUSED[error]
    tally = inbox.told(content)
    assert (tally.refused, tally.messages, left(inbox.queue)) == (1, 1, (0, 0))
    (letter,) = list_letters(inbox.ledger, only=LetterFilter(stage="attachments"))
    assert (letter.error, letter.tenant, letter.batch) == (error, "acme", None)
    assert said in letter.message
    assert letter.diagnosis["suggestedFix"]
    assert letter.payload["attachment"]["id"] == inbox.one().attachment.id
    assert inbox.one().state is AttachmentState.REFUSED
    assert inbox.objects() == {inbox.one().attachment.key}
    inbox.tell(inbox.notice(inbox.one().attachment.key))
    assert (inbox.take().duplicates, len(list_letters(inbox.ledger))) == (1, 1)


def again(inbox):
    """What was replayed, taken again."""

    async def look():
        async with Workshop() as workshop:
            await take_replayed(Desk(inbox.clients, inbox.ledger, inbox.intake(workshop), inbox.rules, None))

    asyncio.run(look())


def test_what_is_on_the_denylist_is_refused_until_it_is_not(inbox):
    """Replayed it is looked at anew: refused again its letter is open again, else it is kept."""
    content = files.png()
    inbox.denied = frozenset({sha256(content).hexdigest()})
    assert inbox.told(content).refused == 1
    (letter,) = list_letters(inbox.ledger)
    assert letter.error == "DeniedAttachmentError"
    assert replay_letter(inbox.ledger, letter, inbox.clock())
    assert not replay_letter(inbox.ledger, letter, inbox.clock())
    assert inbox.one().state is AttachmentState.WAITING
    again(inbox)
    reopened = read_letter(inbox.ledger, letter.id)
    assert (inbox.one().state, reopened.replayed_at) == (AttachmentState.REFUSED, None)
    inbox.denied = frozenset()
    assert replay_letter(inbox.ledger, reopened, inbox.clock())
    again(inbox)
    assert (inbox.one().state, inbox.one().reason) == (AttachmentState.KEPT, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda inbox, key: inbox.clients.s3.delete_object(Bucket=inbox.bucket, Key=key),
            "not there any more",
        ),
        (lambda inbox, _: inbox.put(files.png()), "another file has been put in its place"),
    ],
)
def test_what_is_gone_when_it_is_replayed_is_refused_for_that(inbox, change, said):
    """It is not waited for, and nothing else is taken in its place."""
    key = inbox.put(b"no picture")
    inbox.tell(inbox.notice(key))
    assert inbox.take().refused == 1
    (letter,) = list_letters(inbox.ledger)
    change(inbox, key)
    assert replay_letter(inbox.ledger, letter, inbox.clock())
    again(inbox)
    (letter,) = list_letters(inbox.ledger)
    assert letter.error == "MissingAttachmentError"
    assert said in letter.message


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("no JSON", "tells of no object"),
        ({"id": "1", "type": "feedback.submitted"}, "tells of no object"),
        ({"claimCheck": "s3://bucket/key"}, "tells of no object"),
        ("attachments/acme/test/a.png", "its key is not attachments/TENANT/SOURCE/EVENT/NAME"),
        ("other/acme/test/1/a.png", "its key is not attachments/TENANT/SOURCE/EVENT/NAME"),
        ("attachments/%20/test/1/a.png", "tenant"),
        ("attachments/acme/test//a.png", "event"),
        ("attachments/acme/te%00st/1/a.png", "nobody could print"),
        (f"attachments/acme/test/1/{'x' * 300}", "name"),
        ("attachments/acme/test/1/gone.png", "is not there any more"),
    ],
)
def test_what_is_no_attachment_is_on_record_and_leaves_the_queue(inbox, left, message, said):
    """Whose it would be nobody knows, so it is a rejection."""
    if isinstance(message, str) and "/" in message:
        if "gone" not in message:
            inbox.clients.s3.put_object(Bucket=inbox.bucket, Key=message, Body=files.png())
        message = inbox.notice(message)
    inbox.tell(message)
    tally = inbox.take()
    assert (tally.rejected, tally.messages, left(inbox.queue)) == (1, 1, (0, 0))
    assert said in read_rejections(inbox.ledger, 1)[0].reason
    assert not list_attachments(inbox.ledger)


def test_what_brings_nothing_leaves_the_queue(inbox, left):
    """S3's test of the queue, and what it tells of removals."""
    removed = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]}
    removed["Records"][0]["s3"] = inbox.notice("a/b")["Records"][0]["s3"]
    inbox.tell({"Service": "Amazon S3", "Event": "s3:TestEvent"}, removed)
    tally = inbox.take()
    assert (tally.messages, tally.rejected, tally.given_back, left(inbox.queue)) == (2, 0, 0, (0, 0))


def run_once(inbox, **given):
    """One delivery of each message: what goes back is left there."""
    return asyncio.run(inbox.taking(threading.Event(), back_off_s=300, **given))


def test_while_s3_cannot_be_reached_messages_go_back_and_nothing_is_on_record(inbox, closed_port, left):
    """And are taken when it can."""
    inbox.tell(inbox.notice(inbox.put(files.png())))
    away = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{closed_port}",
        config=Config(retries={"max_attempts": 1}, connect_timeout=1),
        **ACCOUNT,
    )
    tally = run_once(inbox, using=AwsClients(inbox.clients.sqs, away, inbox.clients.sns))
    assert (tally.given_back, tally.messages, tally.kept) == (1, 0, 0)
    assert not list_attachments(inbox.ledger)
    assert sum(left(inbox.queue)) == 1


def test_while_the_ledger_is_locked_messages_go_back(inbox, left):
    """What was made is made again, over the same objects."""
    inbox.tell(inbox.notice(inbox.put(files.png())))
    with closing(sqlite3.connect(inbox.ledger.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tally = run_once(inbox)
        other.execute("ROLLBACK")
    assert (tally.given_back, tally.messages, tally.kept) == (1, 0, 0)
    assert sum(left(inbox.queue)) == 1


def test_told_to_stop_what_is_in_work_ends_and_what_waits_goes_back(inbox, left):
    """At once, and nothing is lost: the next one takes it."""
    for number in range(40):
        inbox.tell(inbox.notice(inbox.put(files.png(), event=str(number))))
    stop = threading.Event()

    async def stopping(take, place, received):
        stop.set()
        return await take(place, received)

    first = asyncio.run(inbox.taking(stop, around=stopping))
    assert 0 < first.kept <= IN_FLIGHT
    assert left(inbox.queue) == (40 - first.messages, 0)
    assert inbox.take().kept == 40 - first.kept
    assert len(list_attachments(inbox.ledger)) == 40


def test_a_burst_is_taken_in_whole_and_no_more_than_ten_are_in_work(inbox, left):
    """Of 200 files, a tenth of them broken, each is on record once."""
    for number in range(200):
        content = b"broken" if number % 10 == 0 else files.png((60 + number, 40))
        inbox.tell(inbox.notice(inbox.put(content, event=str(number))))
    at_once = most = 0

    async def counted(take, place, received):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await take(place, received)
        finally:
            at_once -= 1

    tally = asyncio.run(inbox.taking(threading.Event(), around=counted))
    assert (tally.kept, tally.refused, left(inbox.queue)) == (180, 20, (0, 0))
    assert most == IN_FLIGHT
    assert len(list_attachments(inbox.ledger, limit=500)) == 200


def test_what_is_read_is_redacted_where_the_installation_redacts(inbox):
    """The ledger and models see marks; the file itself stays as it came."""
    inbox.redactor = Redactor(
        lambda text: [Finding(*one.span(), "PERSON", 1.0) for one in re.finditer("Ann", text)],
        Pseudonyms(bytes(32)),
    )
    inbox.told(files.pdf("Bill of Ann", author="Ann"), name="a.pdf")
    found = inbox.one().attachment.findings
    assert (found.text, found.details["author"]) == ("Bill of [PERSON]", "[PERSON]")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_on_both_databases_one_of_many_that_write_at_once_has_it(inbox, database, request):
    """The conditional write."""
    url = request.getfixturevalue("copied_postgres" if database == "postgresql" else "sqlite_url")
    inbox.ledger = open_ledger(str(url))
    place = ObjectPlace(inbox.bucket, inbox.put(files.png()))

    async def many():
        async with Workshop() as workshop:
            intake = inbox.intake(workshop)
            return await asyncio.gather(*(intake.take(place) for _ in range(8)))

    outcomes = [one.outcome for one in asyncio.run(many())]
    close_ledger(inbox.ledger)
    assert outcomes.count(Outcome.KEPT) == 1
    assert outcomes.count(Outcome.DUPLICATE) == 7
