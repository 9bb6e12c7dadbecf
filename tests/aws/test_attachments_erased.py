"""Files of who was erased: gone from S3 and the ledger, whenever they come, whatever is away meanwhile."""

import asyncio
import threading

import boto3
import pytest
from botocore.config import Config

from contracts.attachments import Attachment
from flows import aws
from flows.erasure import erase_everywhere, remove_objects
from ledger.attachment_reads import list_attachments
from ledger.attachments import Kept, keep_attachment
from ledger.engine import close_ledger, open_ledger
from ledger.erased_attachments import objects_to_remove
from ledger.erasure import erase_person
from ledger.sql import writing
from tasks.attachments.workshop import Workshop
from tasks.sources.aws.clients import AwayError, AwsClients
from tests.attachments import files
from tests.aws.attached import Inbox
from tests.aws.conftest import ACCOUNT
from tests.aws.test_attachments_at_work import attach, nothing
from tests.aws.test_queue_flow import environment


@pytest.fixture
def inbox(clients, bucket, queue, world, aws_address, monkeypatch):
    """An inbox that leads to the world's ledger, AWS as the environment says."""
    for name, value in environment(aws_address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_made", {})
    return Inbox(clients, bucket, queue(), world.ledger, world.clock)


@pytest.fixture
def ann(world, fill):
    """An event of a user who is called ann."""
    (event,) = fill.events(["mine"], user="ann")
    fill.take_in(world.ledger, [event])
    return event


def erase(world):
    """Remove ann everywhere."""
    given = {"remove_artifacts": nothing, "clock": world.clock}
    return asyncio.run(erase_everywhere(world.ledger, world.settings, "acme", ["ann"], **given))


@pytest.mark.parametrize("content", [files.pdf("of ann"), b"no picture at all"])
def test_what_comes_after_its_person_was_erased_is_removed_each_time(inbox, world, ann, content):
    """Good or bad, told of once or again: no row, no letter, no rejection and no object names them."""
    erase(world)
    for _ in range(2):
        assert inbox.told(content, name="passport of ann.png", event=ann.id).erased == 1
    inbox.tell(inbox.notice(f"attachments/acme/test/{ann.id}/passport%20of%20ann.png"))
    assert inbox.take().erased == 1
    assert inbox.objects() == set()
    for table in ("attachments", "dead_letters", "rejections"):
        assert world.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_what_was_being_worked_on_while_its_person_was_erased_is_removed(inbox, world, ann):
    """Its results are, too."""
    inbox.tell(inbox.notice(inbox.put(files.pdf("of ann"), event=ann.id)))

    async def erased_meanwhile(take, place, received):
        async with Workshop() as workshop:
            intake = inbox.intake(workshop)
            complete = intake._complete

            async def late(found, folder):
                made = await complete(found, folder)
                await asyncio.to_thread(erase_person, world.ledger, "acme", ["ann"], world.clock())
                return made

            intake._complete = late
            del take
            return await intake.take(place, received)

    tally = asyncio.run(inbox.taking(threading.Event(), around=erased_meanwhile))
    assert (tally.erased, inbox.objects(), list_attachments(world.ledger)) == (1, set(), ())


def test_while_s3_is_away_the_rest_is_erased_and_the_files_are_removed_later(
    inbox, world, ann, closed_port, monkeypatch
):
    """Their addresses are kept until they are."""
    attach(inbox, ann, files.pdf("of ann"))
    away = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{closed_port}",
        config=Config(retries={"max_attempts": 1}, connect_timeout=1),
        **ACCOUNT,
    )

    async def unreachable(_block):
        return AwsClients(inbox.clients.sqs, away, inbox.clients.sns)

    with monkeypatch.context() as patch:
        patch.setattr(aws, "aws_clients", unreachable)
        with pytest.raises(AwayError, match="cannot be removed"):
            erase(world)
    assert list_attachments(world.ledger) == ()
    assert world.rows("SELECT count(*) FROM events WHERE user = 'ann'") == [(0,)]
    assert (len(objects_to_remove(world.ledger)), len(inbox.objects())) == (3, 3)
    assert asyncio.run(remove_objects(world.ledger, world.settings)) == 3
    assert (objects_to_remove(world.ledger), inbox.objects()) == ((), set())


def test_a_bucket_that_is_gone_keeps_nobody_from_being_erased(inbox, world, ann):
    """What lay in it is removed already."""
    attach(inbox, ann, files.pdf("of ann"))
    for key in inbox.objects():
        inbox.clients.s3.delete_object(Bucket=inbox.bucket, Key=key)
    inbox.clients.s3.delete_bucket(Bucket=inbox.bucket)
    assert erase(world).objects == 0
    assert objects_to_remove(world.ledger) == ()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_who_keeps_and_who_erases_take_turns(database, request, fill, make_attachment, clock):
    """A file that is being recorded while its person is erased is erased with them, or refused."""
    url = request.getfixturevalue("copied_postgres" if database == "postgresql" else "sqlite_url")
    book = open_ledger(str(url))
    (event,) = fill.events(["mine"], user="ann")
    fill.take_in(book, [event])
    kept = []
    file = make_attachment(event)
    keeping = threading.Thread(
        target=lambda: kept.append(keep_attachment(book, file, clock(), publish=False))
    )
    with writing(book, "attachments"):
        keeping.start()
        keeping.join(0.2)
        assert keeping.is_alive()
    keeping.join()
    erased = erase_person(book, "acme", ["ann"], clock())
    assert (kept, erased.attachments) == ([Kept.NEW], 1)
    assert keep_attachment(book, make_attachment(event, "v2"), clock(), publish=False) is Kept.ERASED
    assert list_attachments(book) == ()
    close_ledger(book)


@pytest.fixture
def make_attachment(clock):
    """A file of an event, as the ledger is given it."""

    def make(event, version="v1"):
        given = {"bucket": "b", "key": "k", "version": version, "is_versioned": True, "stored_at": clock()}
        name = {"tenant": event.tenant, "source": event.source, "event": event.id, "name": "a.png"}
        return Attachment(id=f"a-{version}", **name, **given)

    return make


def test_while_aws_is_not_set_up_files_are_removed_later(inbox, world, ann, monkeypatch):
    """Whoever takes attachments goes on meanwhile."""
    attach(inbox, ann, files.pdf("of ann"))
    erase_person(world.ledger, "acme", ["ann"], world.clock())
    monkeypatch.setattr(aws, "_made", {})
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwayError, match="AWS is not set up"):
        asyncio.run(remove_objects(world.ledger, world.settings))
    assert len(objects_to_remove(world.ledger)) == 3
