"""Alerts: what operators are told of arrives at the address they gave, through Prefect's own automations."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook, DoNothing
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.automations import ALERTS
from deployments.installed import ensure_installed
from flows.lane import process_ready_batches
from flows.watch import announce_all
from tasks.model.caps import REQUESTS
from tasks.runtime import current_runtime
from tasks.settings import Settings

PATIENCE_S = 60


@pytest.fixture
def receiver():
    """An address and what arrives there."""
    arrived = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", arrived
    server.shutdown()
    thread.join()
    server.server_close()


async def automations():
    """Penstock's automations by name."""
    async with get_client() as client:
        found = {alert.name: await client.read_automations_by_name(alert.name) for alert in ALERTS}
        return {name: automation for name, (automation,) in found.items()}


@pytest.fixture
def no_automations(prefect_slots):
    """None of Penstock's automations before the test, and none after it."""
    assert prefect_slots

    async def remove():
        async with get_client() as client:
            for alert in ALERTS:
                for automation in await client.read_automations_by_name(alert.name):
                    await client.delete_automation(automation.id)

    asyncio.run(remove())
    yield
    asyncio.run(remove())


@pytest.mark.usefixtures("no_automations")
def test_alerts_are_made_once_and_get_their_address_when_there_is_one(tmp_path, receiver):
    """Without an address they are there and do nothing; with one they call it; made again, nothing changes."""
    silent, told = Settings(home=tmp_path), Settings(home=tmp_path, notify_url=receiver[0])
    asyncio.run(ensure_installed(silent))
    first = asyncio.run(automations())
    assert {type(one.actions[0]) for one in first.values()} == {DoNothing}
    for _ in range(2):
        asyncio.run(ensure_installed(told))
        now = asyncio.run(automations())
        assert {type(one.actions[0]) for one in now.values()} == {CallWebhook}
        assert {one.id for one in now.values()} == {one.id for one in first.values()}


@pytest.mark.usefixtures("no_automations")
def test_a_dead_letter_is_told_to_the_address_that_was_given(world, fill, receiver):
    """The webhook gets one message with the alert's words, the letter and the depth, and no content."""
    address, arrived = receiver
    asyncio.run(ensure_installed(Settings(home=world.settings.home, notify_url=address)))

    async def told():
        await announce_all(current_runtime())

    fill.ready(world.ledger, ["A secret wish."], pipeline="nowhere")
    world.run(lambda: process_ready_batches(return_state=True), told)
    text = json.loads(arrived.get(timeout=PATIENCE_S))["text"]
    assert text.startswith("Penstock: a batch or delivery could not be processed")
    assert "UnknownPipelineError" in text
    assert "'depth': 1" in text
    assert "secret wish" not in text


def test_what_a_server_that_is_away_was_not_told_it_is_told_later(world, fill, clock):
    """Nothing is forgotten that it has not taken; sent again after a minute, the event is the one that it was."""
    batch = fill.ready(world.ledger, ["The phone rings out."])

    def waiting():
        return world.rows("SELECT about FROM signals")

    async def away():
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(httpx.HTTPError):
            await announce_all(current_runtime())

    async def back():
        await announce_all(current_runtime())

    world.run(away)
    assert waiting() == [(batch,)]
    clock.advance(minutes=2)
    world.run(back)
    assert waiting() == []


def test_processes_that_start_at_once_install_everything_once(prefect_slots, tmp_path):
    """Limit and alerts are there one time each, whoever was first, and nobody fails."""
    assert prefect_slots

    async def all_at_once():
        async with get_client() as client:
            await client.delete_global_concurrency_limit_by_name(REQUESTS)
            for alert in ALERTS:
                for known in await client.read_automations_by_name(alert.name):
                    await client.delete_automation(known.id)
            await asyncio.gather(*(ensure_installed(Settings(home=tmp_path)) for _ in range(5)))
            counts = [len(await client.read_automations_by_name(alert.name)) for alert in ALERTS]
            return counts, await client.read_global_concurrency_limit_by_name(REQUESTS)

    counts, limit = asyncio.run(all_at_once())
    assert counts == [1] * len(ALERTS)
    assert limit.limit == Settings(home=tmp_path).model_requests_in_flight
