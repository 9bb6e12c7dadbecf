"""Task runs told in two events: the same rows as Prefect's own engine leaves, whatever the end."""

import asyncio
from contextlib import nullcontext

import pytest
from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE
from prefect.events.filters import EventFilter, EventNameFilter, EventRelatedFilter
from prefect.states import Failed

from flows.display import displayed
from flows.task_runner import EventLoopTaskRunner, settled, whole
from flows.task_runs import is_plain

PLAIN = {"cache_policy": NO_CACHE, "persist_result": False, "task_run_name": "{title}"}
ENDS = ("value", "state", "error", "cancelled")

# Defined here and not in the tests: Prefect reads the source of a task.


@task(name="ends", **PLAIN)
async def ends(title):
    """Each way in which a run can end."""
    if title == "state":
        return Failed(message="it is not good enough", data=title)
    if title == "error":
        raise ValueError("there is no such thing")
    if title == "cancelled":
        raise asyncio.CancelledError
    return title


@task(name="parent", **PLAIN)
async def parent(title):
    """A run that has another beneath it."""
    (future,) = ends.map(title=whole([title]))
    await asyncio.wait([future.running])
    return title


@flow(task_runner=EventLoopTaskRunner())
async def family(end):
    """One end, beneath a parent that Prefect's engine runs."""
    await parent.with_options(task_run_name="parent")(end)


@flow(task_runner=EventLoopTaskRunner())
async def values():
    """What comes back of the runs that can give something back."""
    return await settled(ends.map(title=whole(["value", "state", "error"])))


def told_of(run):
    """What the server knows of a run, but for its ids and times."""
    return {
        "state": (run.state.type, run.state.name, run.state.message),
        "task": (run.task_key, run.task_version),
        "beneath": [one.input_type for one in run.task_inputs.get("__parents__", [])],
        "counts": (run.run_count, run.flow_run_run_count, run.tags),
        "policy": run.empirical_policy.model_dump(),
        "times": [bool(at) for at in (run.expected_start_time, run.start_time, run.end_time)],
        "in order": run.expected_start_time <= run.start_time <= run.end_time,
        "lasted": run.total_run_time == run.end_time - run.start_time,
    }


@pytest.fixture(scope="module")
def told(prefect_home, run_async):
    """By end, the parent's and the child's rows, as Prefect's engine leaves them and as ours does."""
    from tests.worlds import Api  # noqa: PLC0415

    assert prefect_home

    def runs_of(end, shown):
        async def played():
            async with shown():
                return await family(end, return_state=True)

        run = run_async(played()).state_details.flow_run_id
        found = {run.task_key: run for run in Api().task_runs(run, 2)}
        return [found[key] for key in (parent.task_key, ends.task_key)]

    return {end: {"prefect": runs_of(end, nullcontext), "ours": runs_of(end, displayed)} for end in ENDS}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_leaves_the_row_that_prefects_engine_leaves(told, end):
    """State, message, task, parent, counts and times: whoever looks at the UI sees no difference."""
    assert told_of(told[end]["ours"][1]) == told_of(told[end]["prefect"][1])


@pytest.mark.parametrize("end", ENDS)
def test_a_run_stands_beneath_the_run_that_it_was_started_in(told, end):
    """The parent's own id, so that the graph of a flow run is whole."""
    for above, run in told[end].values():
        assert [one.id for one in run.task_inputs["__parents__"]] == [above.id]


def test_values_and_errors_come_back_as_from_prefects_engine(prefect_home, run_async):
    """A value, a failed state's data, an exception: each in its place."""
    assert prefect_home

    async def shown():
        async with displayed():
            return await values()

    value, state, error = run_async(shown())
    assert (value, state, str(error)) == ("value", "state", "there is no such thing")
    assert isinstance(error, ValueError)


def test_the_feed_of_events_tells_of_the_parent_alone(told, api):
    """Its items are rows: three events each would bury what a batch is about."""
    run = told["value"]["ours"][0].flow_run_id
    names = EventFilter(
        event=EventNameFilter(prefix=["prefect.task-run."]),
        related=EventRelatedFilter(id=[f"prefect.flow-run.{run}"]),
    )

    async def shown(client):
        wanted = {"filter": names.model_dump(mode="json"), "limit": 50}
        return (await client.request("POST", "/events/filter", json=wanted)).json()["events"]

    events = api.until(shown, lambda found: len(found) >= 3)
    above = f"prefect.task-run.{told['value']['ours'][0].id}"
    assert {event["resource"]["prefect.resource.id"] for event in events} == {above}


@pytest.mark.parametrize(
    "asks",
    [
        {"retries": 1},
        {"tags": {"a"}},
        {"timeout_seconds": 1},
        {"persist_result": True},
        {"on_failure": [lambda *_: None]},
        {"task_run_name": None},
        {"cache_policy": INPUTS, "persist_result": None},
    ],
    ids=lambda asks: next(iter(asks)),
)
def test_a_task_that_asks_for_more_is_left_to_prefects_engine(asks):
    """Retries, tags, limits of time, results, hooks, caches: none of them is looked after here."""
    assert is_plain(ends)
    assert not is_plain(task(**PLAIN | asks)(ends.fn))
