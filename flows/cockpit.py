"""What a process that runs flows for long has at hand for all of them, and looks after beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from flows.dispatch import dispatching
from flows.display import displayed
from flows.lake import refresh_lake
from flows.telemetry import logged, telling
from flows.throttle import throttled
from flows.watch import watched
from ledger.errors import LedgerFaultError
from ledger.facts import newest_fact
from tasks.collector import settle_memory
from tasks.lake_supply import LakeSupplyError
from tasks.runtime import Runtime, runtime
from tasks.settings import Settings


@asynccontextmanager
async def at_hand(settings: Settings, stop: Event, *, keeps_lake: bool = False) -> AsyncIterator[Runtime]:
    """A runtime whose slots are kept between runs, with switches watched and what is due dispatched.

    With `keeps_lake` the analysts' lake is brought up to date beside it, and at the end.
    """
    async with (
        runtime(settings, stop=stop, lasts=True) as run,
        displayed(),
        logged(run),
        telling(run),
        throttled(run),
        watched(run),
        dispatching(run),
    ):
        settle_memory()
        if not keeps_lake:
            yield run
            return
        async with _kept_lake(run):
            yield run


@asynccontextmanager
async def _kept_lake(run: Runtime) -> AsyncIterator[None]:
    lake = _Lake(run)
    keeping = asyncio.create_task(lake.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await lake.refresh()


class _Lake:
    """The lake of a process that works for long: refreshed when there is something new, and not all the time."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._seen: tuple[int, ...] | None = None

    async def keep(self) -> None:
        """Refresh every so often, for as long as nobody cancels."""
        while True:
            await asyncio.sleep(self._run.settings.lake_every_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Bring it up to date, where it is not; what is away now is tried again next time."""
        try:
            newest = await self._run.in_ledger(newest_fact)
            if newest != self._seen:
                await refresh_lake()
                self._seen = newest
        except (httpx.HTTPError, PrefectException, LedgerFaultError, LakeSupplyError) as error:
            get_logger("penstock").warning("cannot bring the lake up to date now: %s", error)
