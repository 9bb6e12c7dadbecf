"""Deliveries: committed with the end of the batch, published under one key until they arrive."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from contracts.batches import BatchState
from ledger.batches import batch_history, read_batch
from ledger.dead_letters import list_letters
from ledger.deliveries import commit_batch, list_deliverables, read_deliverable
from ledger.errors import AmbiguousIdError, LeaseLostError
from ledger.outbox import give_up, has_messages, mark_failed, mark_published, take_messages
from ledger.pauses import Switch, pause, resume
from ledger.replays import replay_letter

MINUTE = timedelta(minutes=1)


def take(ledger, now, limit=10):
    """The messages due, ours for a minute."""
    return take_messages(ledger, now, limit, MINUTE)


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
    messages = take(ledger, make.now)
    assert [(message.idempotency_key, message.attempts) for message in messages] == [
        (f"d-000{number}:{channel}", 1) for number in (1, 2) for channel in ("files", "webhook")
    ]
    assert [message.deliverable for message in messages] == [made[0], made[0], made[1], made[1]]


def test_a_lost_lease_commits_nothing(ledger, make):
    """Results of a worker that lost its batch leave no deliverable and no message."""
    work = make.claimed(ledger)
    with pytest.raises(LeaseLostError):
        commit_batch(ledger, work.batch.id, "old", [make.deliverable(work.batch.id)], ["files"], make.now)
    assert list_deliverables(ledger, work.batch.id) == take(ledger, make.now) == ()


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


def test_a_message_is_taken_until_it_is_published(ledger, make, committed):
    """Published messages are gone, failed ones come back at their time, given up ones do not."""
    batch, _ = committed
    first, second, third, fourth = (message.id for message in take(ledger, make.now))
    assert not has_messages(ledger, make.now)
    mark_published(ledger, [first], make.now)
    later = make.now + make.minute
    mark_failed(ledger, first, "too late", later)
    mark_failed(ledger, second, "disk \x00 full", later)
    give_up(ledger, third, make.letter(batch, stage="delivery", message="gone"))
    assert take(ledger, make.now) == ()
    assert [(message.id, message.attempts) for message in take(ledger, later)] == [(second, 2), (fourth, 2)]
    mark_published(ledger, [first, second, fourth], later)
    assert take(ledger, later + make.minute) == ()
    with ledger.connect() as connection:
        rows = connection.exec_driver_sql("SELECT state, attempts, last_error FROM outbox ORDER BY id").all()
    assert [tuple(row) for row in rows] == [
        ("PUBLISHED", 1, None),
        ("PUBLISHED", 2, "disk \ufffd full"),
        ("FAILED", 1, "ValueError: gone"),
        ("PUBLISHED", 2, None),
    ]


def test_a_message_whose_publisher_died_comes_back(ledger, make, committed):
    """Taken and neither published nor failed, it is nobody else's until its time is over; the attempt is counted."""
    assert committed
    assert len(take(ledger, make.now, 1)) == 1
    assert len(take(ledger, make.now)) == 3
    assert not has_messages(ledger, make.now + make.minute / 2)
    again = take(ledger, make.now + make.minute)
    assert [message.attempts for message in again] == [2, 2, 2, 2]


def test_what_is_given_up_is_a_dead_letter_that_can_be_replayed(ledger, make, committed):
    """It holds what was to be delivered; replayed, the message is due again with fresh attempts, once."""
    batch, _ = committed
    (message,) = take(ledger, make.now, 1)
    letter = make.letter(batch, stage="delivery", payload={"deliverable": "d-0001", "message": message.id})
    for _ in range(2):
        give_up(ledger, message.id, letter)
    assert list_letters(ledger) == (letter,)
    later = make.now + make.minute / 2
    assert replay_letter(ledger, letter, later)
    assert not replay_letter(ledger, letter, later)
    again = next(one for one in take(ledger, later) if one.id == message.id)
    assert again.attempts == 1


@pytest.mark.parametrize("switch", ["delivery", "all", "delivery@acme", "all@acme"])
def test_paused_deliveries_stay_where_they_are(ledger, make, committed, switch):
    """A pause of delivery, or of everything, for this tenant or all: nothing leaves until it ends."""
    assert committed
    pause(ledger, Switch("delivery", "bolt"), "not ours", make.now)
    pause(ledger, Switch.parse(switch), "bad text", make.now)
    assert take(ledger, make.now) == ()
    assert not has_messages(ledger, make.now)
    resume(ledger, Switch.parse(switch), make.now)
    assert len(take(ledger, make.now)) == 4


def test_no_more_messages_than_asked_for(ledger, make, committed):
    """The limit cuts the list, the earliest stay."""
    assert committed
    assert [message.channel for message in take(ledger, make.now, 1)] == ["files"]


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
