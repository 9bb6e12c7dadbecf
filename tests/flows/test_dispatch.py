"""Dispatch: what is due is closed, released and told, and a lane that never came is asked for again."""

import pytest

from contracts.batches import BatchState
from contracts.events import Priority
from flows import places, watch
from flows.dispatch import ask_again, dispatch_once, dispatching
from flows.forming import Watch
from flows.lane import process_ready_batches
from ledger.batches import list_batches
from ledger.lanes import COMES_WITHIN
from tasks.runtime import current_runtime
from tests.worlds import until

TEXTS = ["The export has failed every morning since Monday."] * 10


@pytest.fixture
def told(monkeypatch):
    """What was told, by name and what it says of the lane."""
    found, made = [], watch.event_of

    def noted(one, pool):
        found.append((one.name, one.payload.get("lane")))
        return made(one, pool)

    monkeypatch.setattr(watch, "event_of", noted)
    return found


def test_events_that_fill_a_batch_are_dispatched_by_a_look(world, fill, told):
    """Ten HIGH events of a tenant close its batch, and the batch asks for its lane; another look finds nothing."""
    fill.take_in(world.ledger, fill.events(TEXTS))

    async def looks():
        seen, run = Watch(), current_runtime()
        await dispatch_once(seen, run)
        first = list(told)
        await dispatch_once(seen, run)
        return first

    assert world.run(looks)[0] == ("batch.ready", "wanted")
    assert len(told) == len(list_batches(world.ledger, 10))
    assert {batch.state for batch in list_batches(world.ledger, 10)} == {BatchState.READY}


def test_a_lane_that_never_came_is_asked_for_again_after_its_time(world, fill, told):
    """And not before it: a lane takes a moment to start."""
    fill.ready(world.ledger, TEXTS[:1], now=world.clock.now)

    async def asks():
        run = current_runtime()
        await watch.announce_all(run)
        await ask_again(run)
        world.clock.advance(seconds=COMES_WITHIN.total_seconds())
        await ask_again(run)
        await watch.announce_all(run)

    world.run(asks)
    assert told == [("batch.ready", "wanted"), ("lane.wanted", "wanted")]


def test_dispatch_goes_on_beside_other_work_and_ends_with_it(world, fill, told):
    """For the time of a block; what comes meanwhile is told without anybody asking."""

    async def block():
        async with dispatching(current_runtime()):
            fill.ready(world.ledger, TEXTS[:1], now=world.clock.now, priority=Priority.MEDIUM)
            await until(lambda: told)

    world.run(block)
    assert told[0] == ("batch.ready", "wanted")


def test_a_lane_makes_room_after_its_batches_and_the_next_is_asked_for(world, fill, told, monkeypatch):
    """What is in work ends well, and what is still ready is the next lane's, which is asked for at once."""
    monkeypatch.setattr(places, "BATCHES", 2)
    for number in range(3):
        fill.ready(world.ledger, TEXTS[:1], now=world.clock.now, tenant=f"t-{number}")

    async def one_lane():
        state = await process_ready_batches(level=Priority.HIGH, linger_s=60, return_state=True)
        told.clear()
        await ask_again(current_runtime())
        await watch.announce_all(current_runtime())
        return state.message

    assert world.run(one_lane) == "2 DONE"
    assert ("lane.wanted", "wanted") in told
    states = [batch.state for batch in list_batches(world.ledger, 10)]
    assert sorted(states) == [BatchState.DONE, BatchState.DONE, BatchState.READY]
    assert world.run(lambda: process_ready_batches(return_state=True)).message == "1 DONE"
