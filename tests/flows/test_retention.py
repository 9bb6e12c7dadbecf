"""Retention: what is too old or too much goes, with what hangs on it; what runs, and what is others', stays."""

import asyncio

import pytest
from prefect import flow, tags
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.states import Completed, Running

from contracts.batches import BatchState
from flows import retention
from flows.lane import process_ready_batches
from flows.names import TAG
from flows.retention import FLOWS, prune_runs
from flows.upkeep import release_what_waits

KEPT = 100
TEXTS = ["The export has failed every morning since Monday."] * 3


@pytest.fixture
def pruned(world, prefect_slots, monkeypatch):
    """Runs a story with flows of the test's own as Penstock's, and then the pruning."""
    assert prefect_slots
    monkeypatch.setattr(retention, "_OURS", FlowFilter(name=FlowFilterName(any_=["ours"])))

    def play(story, **how):
        async def within():
            async with get_client() as client:
                made = await story(client)
                done = await prune_runs(**how)
                which = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in made]))
                left = {run.id for run in await client.read_flow_runs(flow_run_filter=which)}
                return made, done, left

        return world.run(within)

    return play


@flow(name="ours")
async def ours():
    """A run with an artifact."""
    await acreate_markdown_artifact("words", key="retention-test")


@flow(name="theirs")
async def theirs():
    """Somebody else's run."""


async def ended(client, what, tag=TAG):
    """A run of the flow with this tag, at its end."""
    with tags(tag):
        state = await what(return_state=True)
    return await client.read_flow_run(state.state_details.flow_run_id)


def test_what_ended_long_ago_goes_with_its_artifacts_and_the_rest_stays(pruned, world):
    """A run that is still under way is nobody's to remove, nor is another's, also where its flow has a name of ours."""

    async def story(client):
        old = [await ended(client, ours) for _ in range(3)]
        other = await ended(client, theirs)
        same_name = await ended(client, ours, tag="another team's")
        under_way = await client.create_flow_run(ours, tags=[TAG], state=Running())
        return [*old, other, same_name, under_way]

    # The server goes by its own clock: what ended there now, ended long ago for a runtime years ahead.
    world.clock.advance(days=4_000)
    made, done, left = pruned(story)
    assert done.runs >= 3
    assert done.artifacts >= 3
    assert left == {run.id for run in made[3:]}


def test_of_too_many_the_oldest_go(pruned, monkeypatch):
    """So many are kept, the newest; in chunks of whatever size."""
    monkeypatch.setattr(retention, "CHUNK", 2)

    async def story(client):
        return [await client.create_flow_run(ours, tags=[TAG], state=Completed()) for _ in range(KEPT + 5)]

    made, _, left = pruned(story, keep_days=3_000, keep_runs=KEPT)
    by_start = sorted(made, key=lambda run: run.expected_start_time)
    assert left == {run.id for run in by_start[-KEPT:]}


def told_its_end(logs):
    """True once the run's own last line is among them."""
    return any(log.name == "prefect.flow_runs" and log.message.startswith("Finished in") for log in logs)


@pytest.mark.usefixtures("prefect_slots")
def test_what_is_old_goes_while_work_goes_on(world, fill, api):
    """With its task runs and its logs; the batches that are worked on meanwhile end as ever."""
    fill.ready(world.ledger, TEXTS, tenant="before")
    with tags(TAG):
        done = world.run(lambda: process_ready_batches(return_state=True))
    old = done.state_details.flow_run_id
    said = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[old]))
    # The last that it says; what came in after its end would be nobody's.
    api.until(lambda client: client.read_logs(log_filter=said), told_its_end)
    assert api.task_runs(old, 1)
    world.clock.advance(days=4_000)
    batches = [fill.ready(world.ledger, TEXTS, tenant=f"t-{number}") for number in range(3)]

    async def left(client):
        runs = FlowRunFilter(id=FlowRunFilterId(any_=[old]))
        return [
            *await client.read_flow_runs(flow_run_filter=runs),
            *await client.read_task_runs(flow_run_filter=runs),
            *await client.read_logs(log_filter=said),
        ]

    async def side_by_side():
        _, pruned = await asyncio.gather(process_ready_batches(return_state=True), prune_runs(keep_days=1.0))
        return pruned

    assert world.run(side_by_side).runs >= 1
    # The server removes logs a moment later, by itself.
    assert api.until(left, lambda found: not found) == []
    assert {world.batch(batch).state for batch in batches} == {BatchState.DONE}


def test_every_flow_of_penstock_is_pruned():
    """Whoever adds a flow adds its name: its runs would stay for ever."""
    from deployments.surface.spec import read_specs  # noqa: PLC0415

    assert set(FLOWS) == {spec.flow for spec in read_specs()}
    assert release_what_waits.name in FLOWS
