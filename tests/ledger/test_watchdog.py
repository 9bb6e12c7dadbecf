"""The watchdog: what gets nowhere is found and told once, and what moves is left alone."""

from datetime import timedelta

import pytest

from contracts.batches import BatchState
from ledger.claims import claim, renew_lease
from ledger.signals import take_signals
from ledger.transitions import Settlement, settle_batch
from ledger.watchdog import tell_what_is_stuck, what_is_stuck
from ledger.work import begin_call, finish_stage, settle_call, start_stage, store_draft

AFTER = timedelta(minutes=15)
LATER = timedelta(minutes=20)
SOON = timedelta(minutes=10)


@pytest.fixture
def working(ledger, make):
    """A batch in work whose lease is renewed."""
    work = make.claimed(ledger)
    renew_lease(ledger, [work.lease], make.now + timedelta(days=1))
    return work


def test_a_batch_in_work_without_a_sign_of_life_is_stuck(ledger, make, working):
    """With who has it, and since when; up to that time it is not."""
    assert what_is_stuck(ledger, make.now + AFTER, AFTER) == ()
    (found,) = what_is_stuck(ledger, make.now + LATER, AFTER)
    assert (found.kind, found.about, found.tenant) == ("batch", working.batch.id, "acme")
    assert found.owner == "worker"
    assert found.since == make.now


@pytest.mark.parametrize(
    "sign", ["a stage begins", "a stage ends", "a call leaves", "an answer comes", "a draft"]
)
def test_whatever_is_written_down_is_a_sign_of_life(ledger, make, working, sign):
    """A slow stage of many calls is not stuck."""
    batch, at = working.batch.id, make.now + SOON
    if sign == "a stage begins":
        start_stage(ledger, batch, "insights", at)
    elif sign == "a stage ends":
        start_stage(ledger, batch, "insights", make.now)
        finish_stage(ledger, batch, "insights", "DONE", None, at)
    elif sign == "a call leaves":
        begin_call(ledger, make.call(batch, started_at=at))
    elif sign == "an answer comes":
        begin_call(ledger, make.call(batch))
        settle_call(ledger, "call-1", make.reply(), at)
    else:
        store_draft(ledger, batch, make.draft(), at)
    assert what_is_stuck(ledger, make.now + LATER, AFTER) == ()


def test_a_level_is_stuck_whose_batches_are_ready_and_nobody_begins(ledger, make):
    """One that began lately clears its level; what is held has its reasons and counts for nothing."""
    make.ready(ledger, 1)
    other = make.ready(ledger, 2)
    assert [(one.kind, one.about) for one in what_is_stuck(ledger, make.now + LATER, AFTER)] == [
        ("lane", "HIGH")
    ]
    claim(ledger, other, lease_id="l", owner="w", now=make.now + SOON, lease_for=timedelta(hours=1))
    assert what_is_stuck(ledger, make.now + LATER, AFTER) == ()


def test_a_batch_that_became_ready_again_waits_since_then(ledger, make):
    """What it waited long ago, before it was held, is another matter."""
    batch = make.ready(ledger)
    claim(ledger, batch, lease_id="l", owner="w", now=make.now, lease_for=timedelta(hours=1))
    back = make.now + LATER
    settle_batch(ledger, batch, "l", Settlement(BatchState.READY, "broken off"), back)
    assert what_is_stuck(ledger, back + SOON, AFTER) == ()
    assert [one.since for one in what_is_stuck(ledger, back + LATER, AFTER)] == [back]


def test_each_is_told_once_until_it_has_moved(ledger, make, working):
    """At the second look, for the first may come right after a night; then no more until it stops again."""
    minute, now = make.minute, make.now + LATER

    def told(at):
        return [one.about for one in tell_what_is_stuck(ledger, at, AFTER)]

    batch = working.batch.id
    assert told(now) == []
    assert told(now + minute) == [batch]
    assert told(now + 2 * minute) == []
    begin_call(ledger, make.call(batch, started_at=now + 3 * minute))
    assert told(now + 4 * minute) == []
    assert told(now + 3 * minute + LATER) == []
    assert told(now + 4 * minute + LATER) == [batch]
    signals = [one for one in take_signals(ledger, now + 2 * LATER) if one.name == "batch.stuck"]
    assert [one.about for one in signals] == [batch, batch]
    assert signals[0].payload == {"level": "HIGH", "tenant": "acme", "for_s": 1260, "worker": "worker"}
