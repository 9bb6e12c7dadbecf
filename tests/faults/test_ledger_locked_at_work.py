"""A ledger that is locked while batches are in work: answers are offered again, and what cannot go on is given back."""

import asyncio

import pytest
from pydantic import SecretStr

from flows.forming import form_batches
from flows.lane import process_ready_batches
from ledger.errors import LedgerFaultError
from ledger.sql import writing
from ledger.work import calls_in_doubt
from tasks.model.paid import PaidCalls, RetryPolicy
from tests.faults.locks import OUTAGE_S, locked
from tests.worlds import on_both, until

TEXTS = ["The phone rings out after five and nobody calls back, so we wait until Monday."]


def lane():
    """The lane, ending as a state."""
    return process_ready_batches(return_state=True)


async def until_a_plan_is_asked_for(world):
    """The generation of solutions has begun."""
    await until(lambda: "ActionPlan" in world.offline.counts)


@on_both
def test_a_lane_waits_out_a_lock_of_30_seconds(make_world, world_url, fill):
    """Really 30, with an answer on its way: it is kept, the batch is DONE, and nothing was asked twice."""
    world = make_world()
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": {"schema": "ActionPlan"}, "play": {"kind": "latency", "seconds": 0.3}}])

    async def locked_meanwhile():
        running = asyncio.create_task(lane())
        await until_a_plan_is_asked_for(world)
        with locked(world_url):
            await asyncio.sleep(OUTAGE_S)
            assert not running.done()
        return await running

    assert world.run(locked_meanwhile).message == "1 DONE"
    assert world.states(batch) == ["READY", "RUNNING", "DONE"]
    assert world.rows("SELECT DISTINCT state FROM model_calls") == [("SUCCEEDED",)]
    assert world.rows("SELECT count(*) FROM model_calls") == [(sum(world.offline.counts.values()),)]


def test_a_lane_whose_ledger_stays_locked_ends_by_name_and_kills_no_batch(make_world, fill, clock):
    """Locked for longer than it waits: the lane ends, the batch goes on after its lease, kept answers are kept."""
    world = make_world()
    impatient = SecretStr(f"{world.settings.ledger_url}?timeout=0.05")
    world.settings = world.settings.model_copy(update={"database_url": impatient})
    fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": {"schema": "ActionPlan"}, "play": {"kind": "latency", "seconds": 0.3}}])

    async def locked():
        running = asyncio.create_task(process_ready_batches())
        await until_a_plan_is_asked_for(world)
        with writing(world.ledger):
            await running

    with pytest.raises(LedgerFaultError, match="stayed locked by somebody else"):
        world.run(locked)
    assert world.rows("SELECT state FROM batches") == [("RUNNING",)]
    in_doubt = calls_in_doubt(world.ledger)
    assert len(in_doubt) == 1
    clock.advance(minutes=10)
    assert world.run(form_batches, lane).message == "1 DONE"
    kept = world.rows("SELECT item, purpose, request_hash FROM model_calls WHERE state = 'SUCCEEDED'")
    assert len(kept) == len(set(kept)) == sum(world.offline.counts.values()) - len(in_doubt)


def test_a_paid_answer_is_offered_again_until_the_ledger_takes_it(sqlite_ledger):
    """The ledger fails twice and is back at the third time: nothing is lost, and the waits are those of the retries."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    def write(_, call_id):
        if len(waits) < 2:
            raise LedgerFaultError(f"locked, {call_id}")

    retry = RetryPolicy((1.0, 5.0, 25.0), lambda: 0.5, sleep)
    calls = PaidCalls(sqlite_ledger, None, retry, None, None)
    asyncio.run(calls.keep(write, "call-1"))
    assert waits == [1.0, 5.0]
