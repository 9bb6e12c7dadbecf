"""A tenant with ten thousand ready batches, and another with one: who waits for whom in a real lane."""

import asyncio

from contracts.batches import BatchState
from flows.lane import process_ready_batches
from ledger.due import count_ready
from tasks.runtime import current_runtime
from tests.worlds import on_both, until

SPIKE = 10_000
AT_ONCE = 2
BEGUN = "SELECT count(*) FROM batch_history WHERE to_state = 'RUNNING'"
MOVES = """
SELECT b.tenant, h.to_state FROM batch_history h JOIN batches b ON b.id = h.batch_id
WHERE h.to_state IN ('READY', 'RUNNING') ORDER BY h.id"""


@on_both
def test_ten_thousand_batches_of_a_neighbour_delay_another_tenant_by_no_more_than_one(make_world, fill):
    """It takes the next place that is free: of ten thousand before it not one more is begun."""
    world = make_world(batches_in_flight=AT_ONCE)
    assert fill.ready_each(world.ledger, ["The phone is dead."] * SPIKE, tenant="spike") == SPIKE
    world.offline.play([{"match": {}, "play": {"kind": "latency", "seconds": 0.05}}])

    def moves():
        return world.rows(MOVES)

    async def beside_the_spike():
        lane = asyncio.create_task(process_ready_batches(return_state=True))
        await until(lambda: world.rows(BEGUN)[0][0] > AT_ONCE)
        calm = fill.ready(world.ledger, ["Search is slow every morning."], tenant="calm")
        await until(lambda: world.batch(calm).state is BatchState.DONE)
        current_runtime().stop.set()
        await lane

    world.run(beside_the_spike)
    came, begun = moves().index(("calm", "READY")), moves().index(("calm", "RUNNING"))
    # One more may be on its way into the ledger as the other comes.
    assert moves()[came + 1 : begun] in ([], [("spike", "RUNNING")])
    assert count_ready(world.ledger) > SPIKE - 10
