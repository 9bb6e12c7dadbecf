"""What a working process does beside its work, every `EVERY`: what operators have in the UI, and signals as events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.context import TagsContext
from prefect.events import Event
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from flows import budgets, switches
from flows.budgets import sync_budgets
from flows.display import display_client
from flows.names import EVENTS, POOL_LABEL
from flows.switches import VARIABLE, sync_switches
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.mirrors import hold_mirror, leave_mirror
from ledger.signals import Signal, forget_signals, take_signals
from tasks.runtime import Runtime, runtime
from tasks.settings import Settings

VARIABLES: Final = {switches.VARIABLE: switches.TAGS, budgets.VARIABLE: budgets.TAGS}
"""What operators have in the UI, with the tags that stand beside it."""

EVERY: Final = timedelta(seconds=1.5)
"""A switch thrown in the UI is in force within this time and a moment."""

HOLD_FOR: Final = timedelta(seconds=3)
"""How long the mirror of a process that died is left alone; with `EVERY`, less than the five seconds of a switch."""

LABELS: Final = ("tenant", "level", "scope", "pipeline", "lane")
"""What automations may go by."""

_watching: ContextVar[bool] = ContextVar("penstock_watching", default=False)


@asynccontextmanager
async def watched(run: Runtime) -> AsyncIterator[None]:
    """Watch for the time of the block; inside another such block nothing more is done."""
    if _watching.get():
        yield
        return
    token = _watching.set(True)
    watching = asyncio.create_task(_watch(run))
    try:
        yield
    finally:
        _watching.reset(token)
        watching.cancel()
        await asyncio.wait([watching])
        if not watching.cancelled():
            watching.result()
        await _announce_at_the_end(run)
        await run.in_ledger(leave_mirror, VARIABLE, run.owner)


@asynccontextmanager
async def announced(*, looks: bool = False) -> AsyncIterator[Runtime]:
    """The runtime of a flow; what it leaves to be told is told at its end, unless its process watches anyway.

    Where each run is a process of its own, nobody else would. With `looks` it begins with one look at what operators
    have in the UI.
    """
    # Tags are the flow run's: every task run that had them too would be a look of the server at its limits.
    with TagsContext(current_tags=set()):
        async with runtime() as run:
            if looks and not _watching.get():
                async with get_client() as client:
                    await look(client, run)
            try:
                yield run
            finally:
                if not _watching.get():
                    await _announce_at_the_end(run)


async def _watch(run: Runtime) -> None:
    """Look every now and then; a server or ledger that is away for a while is asked again next time."""
    async with get_client() as client:
        while True:
            try:
                await look(client, run)
            except (httpx.HTTPError, PrefectException, LedgerFaultError) as error:
                get_logger("penstock").warning("cannot look after the kill switches now: %s", error)
            await asyncio.sleep(EVERY.total_seconds())


async def look(client: PrefectClient, run: Runtime) -> None:
    """One look: switches and budgets if this process is the one that looks after them, and signals."""
    await sync_variables(client, run.ledger, run.settings, run.owner, run.clock())
    await announce_all(run)


async def sync_variables(
    client: PrefectClient, ledger: Ledger, settings: Settings, owner: str, now: datetime
) -> None:
    """Switches and budgets as they are in the UI and in the ledger, unless another process looks after them now."""
    if await asyncio.to_thread(hold_mirror, ledger, VARIABLE, owner, now, HOLD_FOR):
        await sync_switches(client, ledger, now)
        await sync_budgets(client, ledger, settings, now)


async def announce_all(run: Runtime) -> None:
    """Send the signals that nobody has sent yet; one is forgotten only when the server has it.

    Raises:
        httpx.HTTPError: the server did not take them. They are sent again after a minute, by whoever looks then.
    """
    while signals := await run.in_ledger(take_signals, run.clock()):
        events = [event_of(one, run.settings.pool).model_dump(mode="json") for one in signals]
        # Not by `emit_event`: what that queues is lost with its process, or with a server that is away for long.
        async with display_client() as client:
            await client.request("POST", EVENTS, json=events)
        await run.in_ledger(forget_signals, signals)


async def _announce_at_the_end(run: Runtime) -> None:
    """A server that is away then is no failure of the work: whoever looks next finds the signals."""
    try:
        await announce_all(run)
    except httpx.HTTPError as error:
        get_logger("penstock").warning("what there is to tell is told later: %s", error)


def event_of(one: Signal, pool: str) -> Event:
    """The signal as a Prefect event, `penstock.<name>`; sent twice, it is the same event."""
    return Event(
        event=f"penstock.{one.name}",
        resource={
            "prefect.resource.id": f"penstock.{one.name.split('.')[0]}.{one.about}",
            "prefect.resource.name": one.about,
            POOL_LABEL: pool,
            **{f"penstock.{name}": one.payload[name] for name in LABELS if name in one.payload},
        },
        occurred=one.at,
        payload=one.payload,
        id=uuid5(NAMESPACE_URL, f"penstock:signal:{one.at.isoformat()}:{one.id}"),
    )
