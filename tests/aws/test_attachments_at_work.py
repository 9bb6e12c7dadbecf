"""Attachments at work: context of their events, told to whoever listens, erased with their person, seen in Prefect."""

import asyncio
import json
import time
from datetime import timedelta

import pytest

from contracts.attachments import Attachment, AttachmentState, Findings
from contracts.batches import BatchState
from flows import attachments as at_work
from flows import aws
from flows.attachments import take_in_attachments
from flows.erasure import erase_everywhere
from flows.process_batch import process_batch
from ledger.attachment_reads import attachments_of_batch, list_attachments
from ledger.attachments import Kept, keep_attachment
from ledger.batches import list_batches
from ledger.claims import claim
from ledger.dead_letters import list_letters
from ledger.replays import replay_letter
from tasks.attachments.notices import AGAIN_AFTER, publish_attachments
from tasks.attachments.workshop import Workshop, WorkshopError
from tests.attachments import files
from tests.aws.attached import Inbox
from tests.aws.test_channels import messages_in, subscribed
from tests.aws.test_queue_flow import environment
from tests.flows.texts import GOOD


@pytest.fixture
def inbox(clients, bucket, queue, world, aws_address, monkeypatch):
    """An inbox that leads to the world's ledger, AWS as the environment says."""
    for name, value in environment(aws_address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_made", {})
    return Inbox(clients, bucket, queue(), world.ledger, world.clock)


def attach(inbox, event, content, name="a.pdf"):
    """Take in a file of the event."""
    assert inbox.told(content, name=name, event=event.id, tenant=event.tenant).kept == 1


def test_what_a_file_says_is_context_of_its_event(inbox, world, fill):
    """The prompt shows it beside the event's own words, without the file's name and credentials in it."""
    first, second = fill.events(GOOD)
    content = files.pdf("Total 4711 euros, token sk-ant-api03-abcdefghijklmnopqrstuvwxyz")
    attach(inbox, first, content, "Ann.pdf")
    batch = fill.batch_of(world.ledger, [first, second])
    world.run(lambda: process_batch(batch))
    assert world.batch(batch).state is BatchState.DONE
    asked = [str(request.body) for request in world.offline.requests]
    assert any("Total 4711 euros" in text for text in asked)
    assert not any("sk-ant-api03-abc" in text or "Ann.pdf" in text for text in asked)


def test_an_event_without_words_has_those_of_its_file(inbox, world, fill):
    """A ticket may be a screenshot alone."""
    (event,) = fill.events([""])
    attach(inbox, event, files.png(Description=GOOD[0]), "a.png")
    batch = fill.batch_of(world.ledger, [event])
    world.run(lambda: process_batch(batch))
    assert world.batch(batch).state is BatchState.DONE


def test_what_comes_after_a_batch_has_begun_is_not_shown_to_it(inbox, world, fill):
    """Begun again it asks what it asked before, and nothing is paid for twice."""
    (event,) = fill.events(["The invoice is wrong."])
    attach(inbox, event, files.pdf("first"))
    batch = fill.batch_of(world.ledger, [event])
    ours = {"lease_id": "l", "owner": "w", "lease_for": timedelta(minutes=1)}
    assert claim(world.ledger, batch, now=world.clock(), **ours)
    assert len(attachments_of_batch(world.ledger, batch, 5)) == 1
    world.clock.advance(seconds=1)
    attach(inbox, event, files.pdf("second"), "b.pdf")
    assert [one.findings.text for one in attachments_of_batch(world.ledger, batch, 5)] == ["first"]


def test_of_a_file_that_was_replaced_the_latest_is_shown(inbox, world, fill):
    """Under the same key; both are on record."""
    (event,) = fill.events(["The invoice is wrong."])
    attach(inbox, event, files.pdf("draft"))
    world.clock.advance(seconds=1)
    attach(inbox, event, files.pdf("final"))
    batch = fill.batch_of(world.ledger, [event])
    assert [one.findings.text for one in attachments_of_batch(world.ledger, batch, 5)] == ["final"]
    assert len(list_attachments(world.ledger)) == 2


def test_whoever_listens_is_told_of_what_was_kept(inbox, clients, queue):
    """By a topic, with attributes for filters, once, without what was read; what fails is sent later."""
    inbox.topic = clients.sns.create_topic(Name="attachments")["TopicArn"]
    everything = subscribed(clients, queue, inbox.topic)
    pictures = subscribed(clients, queue, inbox.topic, media_type=[{"prefix": "image/"}])
    for number in range(12):
        inbox.told(files.pdf("secret words"), event=str(number))
    now = inbox.clock()
    assert publish_attachments(clients.sns, "arn:aws:sns:eu-west-1:123456789012:gone", inbox.ledger, now) == 0
    assert publish_attachments(clients.sns, inbox.topic, inbox.ledger, now) == 0
    assert publish_attachments(clients.sns, inbox.topic, inbox.ledger, now + AGAIN_AFTER) == 12
    assert publish_attachments(clients.sns, inbox.topic, inbox.ledger, now + 3 * AGAIN_AFTER) == 0
    (first, *_) = messages_in(clients, everything)
    body = json.loads(first["Body"])
    assert "secret words" not in first["Body"]
    assert body["findings"]["media_type"] == "application/pdf"
    assert first["MessageAttributes"]["event"]["StringValue"] == body["event_key"]
    assert messages_in(clients, pictures) == []


async def nothing(_keys):
    """No artifact is there to be removed."""
    return 0


def test_an_erased_persons_files_are_gone_everywhere_and_do_not_come_back(inbox, world, fill):
    """All versions in S3, what was made of them, the dead letters; told of again, they are removed again."""
    inbox.clients.s3.put_bucket_versioning(Bucket=inbox.bucket, VersioningConfiguration={"Status": "Enabled"})
    ann, bob = (*fill.events(["mine"], user="ann"), *fill.events(["other"], user="bob"))
    fill.take_in(world.ledger, [ann, bob])
    for event in (ann, ann, bob):
        attach(inbox, event, files.pdf(f"of {event.user}"))
    assert inbox.told(b"broken", name="b.png", event=ann.id).refused == 1

    def erase():
        return asyncio.run(
            erase_everywhere(
                world.ledger, world.settings, "acme", ["ann"], remove_artifacts=nothing, clock=world.clock
            )
        )

    gone = erase()
    assert (gone.ledger.attachments, gone.objects) == (3, 6)
    (left,) = list_attachments(world.ledger)
    assert left.attachment.event == bob.id
    versions = inbox.clients.s3.list_object_versions(Bucket=inbox.bucket)
    assert not versions.get("DeleteMarkers")
    assert all(f"/{bob.id}/" in one["Key"] for one in versions["Versions"])
    assert len(versions["Versions"]) == 3
    assert world.rows("SELECT count(*) FROM dead_letters") == [(0,)]
    assert not any("ann" in str(row) for row in world.rows("SELECT * FROM attachments"))
    assert inbox.told(files.pdf("of ann, once more"), name="c.pdf", event=ann.id).erased == 1
    assert {one["Key"] for one in inbox.clients.s3.list_object_versions(Bucket=inbox.bucket)["Versions"]} == {
        one["Key"] for one in versions["Versions"]
    }


def test_a_run_takes_in_attachments_and_shows_each_as_a_task_run(inbox, world, fill):
    """What came of each queue is what the run returns."""
    del fill
    inbox.tell(inbox.notice(inbox.put(files.png())), inbox.notice(inbox.put(b"broken", name="b.png")))
    found = world.run(lambda: take_in_attachments([inbox.queue]))[inbox.queue]
    assert (found["kept"], found["refused"], found["messages"]) == (1, 1, 2)
    states = {one.state for one in list_attachments(world.ledger)}
    assert states == {AttachmentState.KEPT, AttachmentState.REFUSED}
    assert not list_batches(world.ledger, 10)


def test_the_commands_take_show_and_explain(bare, inbox, queue, aws_address):
    """Taken, listed, shown; a refused one is found among the dead letters with its reason."""
    cli = bare.given(**environment(aws_address))
    inbox.tell(
        inbox.notice(inbox.put(files.pdf("Invoice 42"), name="a.pdf")), inbox.notice(inbox.put(b"<svg/>"))
    )
    assert cli.json("attachments", "take", inbox.queue, "--until-empty")[inbox.queue]["kept"] == 1
    listed = {one["state"]: one for one in cli.json("attachments", "list")}
    assert set(listed) == {"KEPT", "REFUSED"}
    assert "application/pdf" in cli("attachments", "list", code=0).stdout
    shown = cli("attachments", "show", listed["KEPT"]["id"], code=0).stdout
    assert "Invoice 42" in shown
    (letter,) = cli.json("dlq", "list", "--stage", "attachments")
    told = cli("dlq", "show", letter["id"], code=0).stdout
    assert "is of no type that is taken" in " ".join(told.split())
    assert cli.json("dlq", "replay", letter["id"], "--yes")
    assert cli.json("attachments", "list")[0]["state"] in {"WAITING", "KEPT"}
    cli("attachments", "take", queue(), "--until-empty", code=0)
    assert {one["state"] for one in cli.json("attachments", "list")} == {"KEPT", "REFUSED"}
    cli("attachments", "show", "a-none", code=2)
    cli.given(PENSTOCK_ATTACHMENTS_DENYLIST="/nowhere")("attachments", "take", inbox.queue, code=2)


def test_of_a_file_that_was_replaced_the_last_is_shown_in_whatever_order_it_is_told_of(inbox, world, fill):
    """Queues keep no order: S3's own time of each decides."""
    inbox.clients.s3.put_bucket_versioning(Bucket=inbox.bucket, VersioningConfiguration={"Status": "Enabled"})
    (event,) = fill.events(["The invoice is wrong."])
    for text in ("draft", "final"):
        key = inbox.put(files.pdf(text), name="a.pdf", event=event.id)
        time.sleep(1.1)  # S3 tells times by the second.
    versions = inbox.clients.s3.list_object_versions(Bucket=inbox.bucket)["Versions"]
    ordered = sorted(versions, key=lambda one: one["LastModified"], reverse=True)
    for one in ordered:
        inbox.tell(inbox.notice(key, versionId=one["VersionId"]))
        assert inbox.take().kept == 1
        world.clock.advance(seconds=1)
    batch = fill.batch_of(world.ledger, [event])
    assert [one.findings.text for one in attachments_of_batch(world.ledger, batch, 5)] == ["final"]


def test_of_many_files_of_an_event_five_are_shown(inbox, world, fill, make_kept):
    """The first that came; and of all of a batch no more text than it may have."""
    first, second = fill.events(["The invoice is wrong.", "So is mine."])
    for event in (first, second):
        for number in range(8):
            make_kept(world.ledger, event, number, "word " * 2_000)
    batch = fill.batch_of(world.ledger, [first, second])
    shown = attachments_of_batch(world.ledger, batch, 5)
    assert [one.event for one in shown] == [first.id] * 5 + [second.id] * 5
    del inbox


@pytest.fixture
def make_kept(clock):
    """Records a file of an event."""

    def make(ledger, event, number, text):
        found = Findings(
            media_type="application/pdf", size=1, sha256="", details={}, text=text, thumbnail="", marked=""
        )
        given = {"bucket": "b", "key": f"k{event.id}{number}", "version": "v", "is_versioned": True}
        whose = {"tenant": event.tenant, "source": event.source, "event": event.id, "name": "a.pdf"}
        clock.advance(seconds=1)
        file = Attachment(id=f"a-{event.id}-{number}", **whose, **given, stored_at=clock(), findings=found)
        assert keep_attachment(ledger, file, clock(), publish=False) is Kept.NEW

    return make


def test_a_replayed_file_over_which_work_ends_keeps_nobody_from_the_others(inbox, world, monkeypatch):
    """It is due again later, and refused after several times."""
    assert inbox.told(b"broken", name="b.png").refused == 1
    (letter,) = list_letters(world.ledger)
    assert replay_letter(world.ledger, letter, world.clock())
    monkeypatch.setattr(at_work, "utc_now", world.clock)

    async def look(times):
        async with Workshop() as workshop:
            intake = inbox.intake(workshop)

            async def killed(*_):
                raise WorkshopError("its process was ended from outside")

            intake._complete = killed
            desk = at_work.Desk(inbox.clients, world.ledger, intake, inbox.rules, world.settings)
            for _ in range(times):
                await at_work.take_replayed(desk)
                world.clock.advance(minutes=11)

    asyncio.run(look(3))
    assert inbox.one().state is AttachmentState.WAITING
    asyncio.run(look(1))
    assert inbox.one().state is AttachmentState.REFUSED
    assert "could not be worked on 4 times" in list_letters(world.ledger)[0].message
