"""The cost throttle of a whole run: what Prefect's limits say counts, for all, for a tenant, for a model."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate

from deployments.installed import ensure_installed
from flows.lane import process_ready_batches
from flows.throttle import throttled
from ledger.slots import slot_leases_of
from tasks.model.caps import REQUESTS, requests_of_model, requests_of_tenant, tokens_of_model
from tasks.model.slots import NoSlotsError
from tasks.model.throttle import Passenger
from tasks.runtime import current_runtime
from tests.worlds import until

IN_FORCE_S = 10
"""What operators are promised: a limit that is changed in the UI is in force within that."""
TEXTS = ["The export has failed every morning since Monday, and nobody answers."]
MODEL = "offline-extractive"


@pytest.fixture
def limited(world, prefect_slots):
    """Runs a story of what an operator does with the limits, and leaves the common one as it was."""

    def play(story):
        async def within():
            async with get_client() as client:
                # Made anew: commands that other tests ended at once hold slots of it until their leases end.
                await client.delete_global_concurrency_limit_by_name(REQUESTS)
                await made(client, REQUESTS, limit=prefect_slots)
                try:
                    return await story(client)
                finally:
                    await client.upsert_global_concurrency_limit_by_name(REQUESTS, prefect_slots)

        return world.run(within)

    return play


async def made(client, name, **values):
    """A limit of this name."""
    await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, **values))
    return name


@asynccontextmanager
async def requests(number, *, tenant="acme", model=MODEL):
    """So many requests that want to leave, until the end of the block; gives those that have left."""
    throttle, gone, end = current_runtime().calls.client.throttle, [], asyncio.Event()

    async def one(name):
        async with throttle.passed(Passenger(model, tenant, 40)):
            gone.append(name)
            await end.wait()

    tasks = [asyncio.create_task(one(name)) for name in range(number)]
    try:
        yield gone
    finally:
        end.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_blocks_of_one_process_share_its_slots_and_the_last_gives_them_back(limited, prefect_slots):
    """Side by side, one within the other, and in whatever order they end."""

    async def story(client):
        run = current_runtime()

        async def block(end):
            async with throttled(run):
                await end.wait()

        first, second = asyncio.Event(), asyncio.Event()
        blocks = [asyncio.create_task(block(end)) for end in (first, second)]
        async with requests(20) as gone:
            await until(lambda: len(gone) == prefect_slots)
            first.set()
            await blocks[0]
            limit = await client.read_global_concurrency_limit_by_name(REQUESTS)
            assert limit.active_slots == prefect_slots == len(gone)
        second.set()
        await blocks[1]
        assert (await client.read_global_concurrency_limit_by_name(REQUESTS)).active_slots == 0
        assert await run.in_ledger(slot_leases_of, REQUESTS) == ()

    limited(story)


def test_an_operators_cap_on_a_tenant_bounds_it_and_nobody_else(limited):
    """Made in the UI, it is in force for the next run, and gone when it is deleted."""

    async def story(client):
        await made(client, requests_of_tenant("acme"), limit=1)
        async with throttled(current_runtime()):
            async with requests(5) as capped, requests(3, tenant="globex") as free:
                await until(lambda: len(free) == 3 and capped)
                assert len(capped) == 1
            await client.delete_global_concurrency_limit_by_name(requests_of_tenant("acme"))
            throttle = current_runtime().calls.client.throttle
            await until(lambda: requests_of_tenant("acme") not in throttle.slots)
            async with requests(5) as freed:
                await until(lambda: len(freed) == 5)

    limited(story)


@pytest.mark.usefixtures("prefect_slots")
def test_a_cap_on_a_model_that_the_settings_name_has_to_exist(make_world, run_async):
    """`ensure_installed` makes it; deleted in the UI, that model is called no more, whatever else there is."""
    world = make_world(requests_by_model={MODEL: 2})
    run_async(ensure_installed(world.settings))

    async def story():
        async with get_client() as client, throttled(current_runtime()):
            async with requests(5) as capped:
                await until(lambda: len(capped) == 2)
            await client.delete_global_concurrency_limit_by_name(requests_of_model(MODEL))
            throttle = current_runtime().calls.client.throttle
            await until(lambda: throttle.slots[requests_of_model(MODEL)].is_closed)
            with pytest.raises(NoSlotsError, match=f"no limit {requests_of_model(MODEL)}"):
                async with throttle.passed(Passenger(MODEL, "acme", 40)):
                    pass
            async with requests(2, model="another") as other:
                await until(lambda: len(other) == 2)

    world.run(story)


def test_a_limit_that_is_changed_while_work_is_under_way_is_in_force(limited, prefect_slots):
    """Within ten seconds. Lower: nothing begins until fewer are in flight. Higher, and switched off and on, too."""

    async def in_force(is_so):
        async with asyncio.timeout(IN_FORCE_S):
            await until(is_so)

    async def story(client):
        async with throttled(current_runtime()):
            slots = current_runtime().calls.client.throttle.slots[REQUESTS]
            async with requests(30) as gone:
                await until(lambda: len(gone) == prefect_slots)
                await client.upsert_global_concurrency_limit_by_name(REQUESTS, 3)
                await in_force(lambda: slots.allowed == 3)
                await client.upsert_global_concurrency_limit_by_name(REQUESTS, 12)
                await in_force(lambda: len(gone) == 12)
                off = GlobalConcurrencyLimitUpdate(active=False)
                await client.update_global_concurrency_limit(REQUESTS, off)
                await in_force(lambda: slots.allowed == 0)
            on = GlobalConcurrencyLimitUpdate(active=True)
            await client.update_global_concurrency_limit(REQUESTS, on)
            throttle = current_runtime().calls.client.throttle
            await in_force(lambda: not slots.is_closed)
            async with throttle.passed(Passenger(MODEL, "acme", 40)):
                pass

    limited(story)


def test_tokens_a_minute_are_bought_from_a_limit_that_decays(limited):
    """What is spent is gone, what comes back by the second lets the next one leave."""
    name = tokens_of_model(MODEL)

    async def story(client):
        await made(client, name, limit=1_300, slot_decay_per_second=400.0)
        try:
            async with throttled(current_runtime()), requests(4) as gone:
                # Ten tokens of question and five hundred of answer are expected of each.
                await until(lambda: len(gone) >= 2)
                taken = (await client.read_global_concurrency_limit_by_name(name)).active_slots
                assert taken >= 100
                await until(lambda: len(gone) == 4)
        finally:
            await client.delete_global_concurrency_limit_by_name(name)

    limited(story)


@pytest.mark.usefixtures("prefect_slots")
def test_a_whole_lane_runs_under_caps_of_every_kind(make_world, fill, run_async):
    """As the model's server counts them, and all batches end."""
    world = make_world(
        requests_by_model={MODEL: 3},
        requests_by_tenant={"t-0": 1},
        tokens_a_minute={MODEL: 50_000_000},
    )
    run_async(ensure_installed(world.settings))
    for number in range(3):
        fill.ready(world.ledger, TEXTS, tenant=f"t-{number}")
    state = world.run(lambda: process_ready_batches(return_state=True))
    assert state.message == "3 DONE"
    assert world.offline.stats["max_in_flight"] <= 3
