"""An installation of Penstock to be measured: its server, batches that are ready, and a lane that works them off."""

import asyncio
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

from benchmarks.work import IN_FLIGHT, TEXTS, calls_of


@contextmanager
def installation(url: str, **server: str) -> Iterator[Any]:
    """Settings of a home whose Prefect server runs and whose model is at `url`, for the time of the block.

    `server` is what the Prefect server is to find in its environment besides.
    """
    from deployments.services import prefect_server, stop_services, use_prefect
    from tasks.settings import load_settings

    os.environ |= {"PENSTOCK_OFFLINE_URL": url, "PENSTOCK_TOP_RECOMMENDATIONS": "2"}
    os.environ |= {"PENSTOCK_MODEL_REQUESTS_IN_FLIGHT": str(IN_FLIGHT)}
    settings = load_settings()
    use_prefect(settings, prefect_server(settings, **server))
    importlib.import_module("flows.lane")
    from deployments.installed import ensure_installed

    try:
        asyncio.run(ensure_installed(settings))
        yield settings
    finally:
        stop_services(settings)


def check_all_done(settings: Any, batches: int) -> None:
    """A figure counts only if the work was whole: every batch DONE, and as many calls as bare asyncio makes."""
    from ledger.engine import close_ledger, open_ledger
    from ledger.status import status

    ledger = open_ledger(settings.ledger_url)
    found = status(ledger)
    close_ledger(ledger)
    if (found["batches"]["by_state"], found["calls"]) != ({"DONE": batches}, calls_of(batches)):
        raise RuntimeError(f"not the work that was to be measured: {found}")


@contextmanager
def warm_host(settings: Any) -> Iterator[Any]:
    """What a warm worker runs flow runs in, open."""
    from deployments.warm.host import Host
    from flows.cockpit import at_hand

    host = Host(lambda: at_hand(settings, Event()))
    host.start()
    asyncio.run(host.ready())
    try:
        yield host
    finally:
        asyncio.run(host.close())


async def ours(host: Any) -> None:
    """The real thing, from batches that are ready to deliverables: a flow run of the lane, as a warm worker runs it."""
    from prefect.client.orchestration import get_client

    from flows.lane import process_ready_batches

    async with get_client() as client:
        flow_run = await client.create_flow_run(process_ready_batches)
    await host.run(process_ready_batches, flow_run)


def seed(settings: Any, batches: int) -> None:
    """That many tenants with one batch of ten events each."""
    from ledger.batches import create_batches
    from ledger.engine import close_ledger, open_ledger
    from ledger.intake import prepare_event, record_intake
    from ledger.pending import pending_events
    from tasks.batching import BatchPolicy, plan_batches

    ledger, now = open_ledger(settings.ledger_url), datetime.now(UTC)
    events = [_event(tenant, number, now) for number in range(10) for tenant in range(batches)]
    prepared = [
        prepare_event(event, event.model_dump_json(), raw=b"{}", tokens=40, pipeline="insights", line=line)
        for line, event in enumerate(events, 1)
    ]
    record_intake(ledger, "bench", prepared, [], now)
    create_batches(ledger, plan_batches(pending_events(ledger), BatchPolicy(), now), now)
    close_ledger(ledger)


def _event(tenant: int, number: int, now: datetime) -> Any:
    from contracts.events import Event, Kind, Priority

    return Event(
        id=f"{now.isoformat()}-{number}",
        source="bench",
        type=Kind.FEEDBACK,
        time=now,
        tenant=f"tenant-{tenant}",
        user=None,
        priority=Priority.HIGH,
        feature="bench",
        topic="phones",
        data={"text": TEXTS[number % 2].format(n=number)},
    )
