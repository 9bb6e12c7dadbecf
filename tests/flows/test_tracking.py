"""Tracking of batches alone: less in the Prefect UI, and the same in the ledger."""

from collections import Counter

from flows.lane import process_ready_batches
from ledger.work import read_items, read_stages
from tests.flows.texts import GOOD, RUDE


def test_without_task_runs_of_items_everything_else_is_as_it_was(make_world, fill, api):
    """A good batch and one that the gate stops: ends, items, stages and artifacts; task runs of the batches alone."""
    world = make_world(track="batches")
    good, rude = (
        fill.ready(world.ledger, GOOD, tenant="good-co"),
        fill.ready(world.ledger, RUDE, tenant="rude-co"),
    )
    state = world.run(lambda: process_ready_batches(return_state=True))
    assert state.message == "1 DONE, 1 FAILED"
    items = read_items(world.ledger, good)
    assert {one.verdict for one in items} == {"passed"}
    assert {one.state for one in read_stages(world.ledger, good)} == {"DONE"}
    assert len(api.artifact(f"verdicts-{good}")) == len(items)
    assert "did not pass the gate" in world.batch(rude).reason
    runs = Counter(run.name for run in api.task_runs(state.state_details.flow_run_id, 2 + 2))
    assert runs == {world.batch(good).label: 1, world.batch(rude).label: 1, "validate context": 2}
