"""Deliveries: committed with the end of the batch, published under one key until they arrive."""

import pytest
from sqlalchemy.exc import IntegrityError

from contracts.batches import BatchState
from ledger.batches import batch_history, read_batch
from ledger.deliveries import (
    commit_batch,
    due_messages,
    list_deliverables,
    mark_failed,
    mark_published,
    read_deliverable,
)
from ledger.errors import AmbiguousIdError, LeaseLostError


@pytest.fixture
def committed(ledger, make):
    """A DONE batch with two deliverables for two channels, committed twice."""
    work = make.claimed(ledger)
    made = [make.deliverable(work.batch.id, number) for number in (1, 2)]
    for _ in range(2):
        commit_batch(ledger, work.batch.id, work.lease, made, ["files", "webhook"], make.now)
    return work.batch.id, made


def test_a_commit_repeated_delivers_nothing_twice(ledger, make, committed):
    """The batch is DONE once, with one message a deliverable and channel, each under its own key."""
    batch, made = committed
    assert read_batch(ledger, batch).state is BatchState.DONE
    assert [step.to_state for step in batch_history(ledger, batch)].count(BatchState.DONE) == 1
    messages = due_messages(ledger, make.now, 10)
    assert [(message.idempotency_key, message.attempts) for message in messages] == [
        (f"d-000{number}:{channel}", 0) for number in (1, 2) for channel in ("files", "webhook")
    ]
    assert [message.deliverable for message in messages] == [made[0], made[0], made[1], made[1]]


def test_a_lost_lease_commits_nothing(ledger, make):
    """Results of a worker that lost its batch leave no deliverable and no message."""
    work = make.claimed(ledger)
    with pytest.raises(LeaseLostError):
        commit_batch(ledger, work.batch.id, "old", [make.deliverable(work.batch.id)], ["files"], make.now)
    assert list_deliverables(ledger, work.batch.id) == due_messages(ledger, make.now, 10) == ()


def test_a_commit_is_whole_or_nothing(ledger, make):
    """A deliverable that cannot be stored takes the end of the batch back."""
    work = make.claimed(ledger)
    with pytest.raises(IntegrityError):
        commit_batch(ledger, work.batch.id, work.lease, [make.deliverable("b-none")], ["files"], make.now)
    assert read_batch(ledger, work.batch.id).state is BatchState.RUNNING


def test_a_batch_may_deliver_nothing(ledger, make):
    """DONE without deliverables is an end like any other."""
    work = make.claimed(ledger)
    commit_batch(ledger, work.batch.id, work.lease, [], ["files"], make.now)
    assert read_batch(ledger, work.batch.id).reason == "committed 0 deliverables"


def test_a_message_is_due_until_it_is_published(ledger, make, committed):
    """Published messages are gone, failed ones come back at their time, given up ones do not."""
    assert committed
    first, second, third, fourth = (message.id for message in due_messages(ledger, make.now, 10))
    mark_published(ledger, [first], make.now)
    later = make.now + make.minute
    mark_failed(ledger, first, "too late", later)
    mark_failed(ledger, second, "disk \x00 full", later)
    mark_failed(ledger, third, "gone", None)
    assert [message.id for message in due_messages(ledger, make.now, 10)] == [fourth]
    due = due_messages(ledger, later, 10)
    assert [(message.id, message.attempts) for message in due] == [(fourth, 0), (second, 1)]
    mark_published(ledger, [first, second, fourth], later)
    assert due_messages(ledger, later, 10) == ()
    with ledger.connect() as connection:
        rows = connection.exec_driver_sql("SELECT state, attempts, last_error FROM outbox ORDER BY id").all()
    assert [tuple(row) for row in rows] == [
        ("PUBLISHED", 1, None),
        ("PUBLISHED", 2, "disk \ufffd full"),
        ("FAILED", 1, "gone"),
        ("PUBLISHED", 1, None),
    ]


def test_no_more_messages_than_asked_for(ledger, make, committed):
    """The limit cuts the list, the earliest stay."""
    assert committed
    assert [message.channel for message in due_messages(ledger, make.now, 1)] == ["files"]


def test_deliverables_are_listed_and_found_as_committed(ledger, make, committed):
    """Newest first, of one batch or of all, and by the beginning of an id."""
    batch, made = committed
    other = make.claimed(ledger, 2, lease="l2")
    newest = make.deliverable(other.batch.id, 9, created_at=make.now + make.minute, title="T\x00")
    commit_batch(ledger, other.batch.id, "l2", [newest], [], make.now)
    assert list_deliverables(ledger, batch) == tuple(made)
    assert list_deliverables(ledger, None, 2) == (newest, made[0])
    assert read_deliverable(ledger, "d-0002") == read_deliverable(ledger, "d-0002"[:6]) == made[1]
    assert read_deliverable(ledger, "d-7") is None
    with pytest.raises(AmbiguousIdError):
        read_deliverable(ledger, "d-")
