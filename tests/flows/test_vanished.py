"""Runs of a host that is gone: Prefect is told to mark them, by an automation on a real server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.events import Event
from prefect.states import Completed, Running
from pydantic import TypeAdapter

from deployments.automations import VANISHED
from deployments.installed import ensure_installed
from deployments.server_settings import CLIENT, HEARTBEAT, VANISHED_AFTER, server_environment
from tasks.settings import Settings
from tests.worlds import Api

LONG_AGO = VANISHED_AFTER + timedelta(minutes=1)
WITHIN_S = 20
ATTEMPTS = 3
"""Whether the automation is first looked at before the server has seen the heartbeats is up to the server's tick."""


@flow(name="hosted elsewhere")
async def elsewhere():
    """Its runs are another host's."""


async def run_in(client, *, tags=("penstock",), state=None):
    """A run that is Running, or has come to this state after that."""
    run = await client.create_flow_run(elsewhere, tags=tags)
    await client.set_flow_run_state(run.id, Running(), force=True)
    if state is not None:
        await client.set_flow_run_state(run.id, state)
    return run


def heartbeat(run, ago):
    """That it is alive, said so long ago."""
    tags = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags]
    return Event(
        event="prefect.flow-run.heartbeat",
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
        related=tags,
        occurred=datetime.now(UTC) - ago,
    ).model_dump(mode="json")


async def installed_anew(client, settings):
    """The automation, which is looked at within five seconds of its making, and after that in its own time."""
    for automation in await client.read_automations_by_name(VANISHED.name):
        await client.delete_automation(automation.id)
    await ensure_installed(settings)


@pytest.fixture
def runs(prefect_slots, run_async):
    """Four: one that falls silent, one that does not, one that has ended, one that is not Penstock's."""
    assert prefect_slots

    async def made():
        async with get_client() as client:
            ended, theirs = {"state": Completed()}, {"tags": ("theirs",)}
            return [await run_in(client, **what) for what in ({}, {}, ended, theirs)]

    return run_async(made())


def test_a_run_that_is_not_heard_of_any_more_is_marked_as_crashed(runs, prefect_home, run_async):
    """A killed pod tells nobody; runs that are heard of, that had ended, or that are not ours are left alone."""

    async def heard():
        async with get_client() as client:
            await installed_anew(client, Settings(home=prefect_home))
            ages = [LONG_AGO, timedelta(0), LONG_AGO, LONG_AGO]
            said = [heartbeat(run, ago) for run, ago in zip(runs, ages, strict=True)]
            await client.request("POST", "/events", json=said)

    async def states(client):
        return [(await client.read_flow_run(run.id)).state for run in runs]

    for _ in range(ATTEMPTS):
        run_async(heard())
        gone, alive, ended, theirs = Api(WITHIN_S).until(states, lambda found: not found[0].is_running())
        if not gone.is_running():
            break
    assert gone.is_crashed()
    assert "Not heard of for nine minutes" in gone.message
    assert (alive.is_running(), ended.is_completed(), theirs.is_running()) == (True, True, True)


def test_what_says_that_it_is_alive_does_so_often_enough():
    """The automation waits for several heartbeats, and servers keep what is waited for until it is looked at."""
    every = timedelta(seconds=int(CLIENT["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]))
    assert every == HEARTBEAT
    assert VANISHED.trigger.within >= 3 * every
    kept = server_environment(Path(), "http://127.0.0.1:4200/api")[
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER"
    ]
    assert TypeAdapter(timedelta).validate_python(kept) >= VANISHED.trigger.within
