"""The clock is set back or forward by an hour in the middle of the work: all is done, once, and leaves once."""

from datetime import timedelta

import pytest

from contracts.batches import BatchState
from flows.forming import Watch, form_batches, form_meanwhile
from flows.lane import process_ready_batches
from ledger.deliveries import list_deliverables
from ledger.outbox import has_messages, mark_published, take_messages
from ledger.work import calls_in_doubt
from tasks.runtime import current_runtime

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back", "forward"])
TEXTS = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
]


class SteppingClock:
    """A clock that is set by `step` at its n-th look, once."""

    def __init__(self, clock, step, nth):
        self.clock, self.step, self.left = clock, step, nth

    def __call__(self):
        """The time, perhaps suddenly another."""
        self.left -= 1
        if self.left == 0:
            self.clock.now += self.step
        return self.clock()


def lane():
    """The lane, ending as a state."""
    return process_ready_batches(return_state=True)


@STEPS
@pytest.mark.parametrize("nth", [2, 6, 20])
def test_a_batch_is_done_once_and_paid_once_whenever_the_clock_steps(make_world, fill, clock, step, nth):
    """At the claim, at a call or late: DONE, every answer asked for once, every deliverable out once."""
    world = make_world()
    batch = fill.ready(world.ledger, TEXTS)
    world.clock = SteppingClock(clock, step, nth)
    world.run(form_batches, lane)
    assert world.clock.left < 0, "the clock has stepped"
    assert world.batch(batch).state is BatchState.DONE
    calls = world.rows("SELECT item, purpose, request_hash, count(*) FROM model_calls GROUP BY 1, 2, 3")
    assert {count for *_, count in calls} == {1}
    assert len(calls) == sum(world.offline.counts.values())
    assert calls_in_doubt(world.ledger) == ()
    assert world.rows("SELECT DISTINCT state, attempts FROM outbox") == [("PUBLISHED", 1)]
    assert len(world.deliverables()) == len(list_deliverables(world.ledger, batch))


def test_a_lane_looks_for_new_work_although_the_clock_was_set_back(make_world, fill, clock):
    """What fills a pool meanwhile is batched at the next look, not an hour later."""
    world = make_world()
    watch = Watch(looked_at=clock.now)
    texts = [f"{TEXTS[0]} Ticket {number}." for number in range(10)]
    fill.take_in(world.ledger, fill.events(texts))
    clock.advance(hours=-1)

    async def look():
        await form_meanwhile(watch, current_runtime())

    world.run(look)
    assert world.rows("SELECT DISTINCT state FROM batches") == [("READY",)]


@STEPS
def test_a_message_is_its_publishers_for_its_hold_and_the_step_at_most(make_world, fill, clock, step):
    """Set back, nobody takes it twice and it is free an hour later; set forward, it leaves under the same key."""
    world = make_world()
    batch = fill.ready(world.ledger, TEXTS)
    world.run(lane)
    with world.ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET state = 'PENDING', next_at = 0")
    hold = timedelta(minutes=2)
    first = take_messages(world.ledger, clock.now, 100, hold)
    assert len(first) == len(list_deliverables(world.ledger, batch))
    clock.now += step
    assert has_messages(world.ledger, clock.now) == (step > hold)
    clock.now += max(-step, timedelta()) + hold
    again = take_messages(world.ledger, clock.now, 100, hold)
    assert [one.idempotency_key for one in again] == [one.idempotency_key for one in first]
    for sent in (first, again):
        mark_published(world.ledger, [one.id for one in sent], clock.now)
    assert not has_messages(world.ledger, clock.now + HOUR)
