"""Dispatch: what is due is closed and released, and told, within a moment. A long-running process does it all the time.

Nothing depends on it but latency: the sweep does the same once a minute, and every lane while it works.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from flows.channels import publish
from flows.forming import Watch, close_due, is_due
from flows.watch import announce_all
from ledger.due import release_due
from ledger.errors import LedgerFaultError
from ledger.lanes import ask_for_another, ask_for_lanes
from ledger.outbox import has_messages
from tasks.callbacks import call_back
from tasks.runtime import Runtime

EVERY_S: Final = 0.2
ASK_EVERY_S: Final = 5.0
LONGEST_S: Final = 30.0


@asynccontextmanager
async def dispatching(run: Runtime) -> AsyncIterator[None]:
    """Dispatch for the time of the block."""
    task = asyncio.create_task(_dispatch(run))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def _dispatch(run: Runtime) -> None:
    """Look again and again, more rarely while the ledger or the server is away."""
    watch, wait_s, asked_at = Watch(), EVERY_S, float("-inf")
    while True:
        try:
            await dispatch_once(watch, run)
            if time.monotonic() - asked_at >= ASK_EVERY_S:
                asked_at = time.monotonic()
                await ask_again(run)
            wait_s = EVERY_S
        except (httpx.HTTPError, PrefectException, LedgerFaultError) as error:
            wait_s = min(2 * wait_s, LONGEST_S)
            get_logger("penstock").warning("cannot look for what is due now: %s", error)
        await asyncio.sleep(wait_s)


async def ask_again(run: Runtime) -> None:
    """Tell of levels whose batches are ready and whose lane never came, or died."""
    for level in await run.in_ledger(ask_for_lanes, run.clock()):
        await run.in_ledger(ask_for_another, level, run.clock())


async def dispatch_once(watch: Watch, run: Runtime) -> None:
    """Close and release what is due, tell what there is to tell, and publish."""
    if await is_due(watch, run):
        await close_due(run)
        await run.in_ledger(release_due, run.clock())
    await announce_all(run)
    if await run.in_ledger(has_messages, run.clock()):
        await publish(run)
    await call_back(run)
