"""Rounds of work: form batches, process what is ready, publish, bring the lake up to date."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.forming import Watch, form_batches, is_due
from flows.lake import refresh_lake
from flows.lane import process_ready_batches
from flows.watch import watched
from ledger.due import count_ready
from ledger.outbox import has_messages
from tasks.publisher import publish
from tasks.runtime import runtime


async def work_once(*, flush: bool = False) -> bool:
    """One round; True when there was a batch to process."""
    async with runtime() as run:
        await form_batches(flush=flush)
        found = await asyncio.to_thread(count_ready, run.ledger) > 0
        if found:
            await process_ready_batches()
        await publish(run)
        return found


async def has_work(watch: Watch) -> bool:
    """True when something is due to be formed, a batch is ready, or a delivery's time has come."""
    async with runtime() as run:
        return (
            await is_due(watch, run)
            or await asyncio.to_thread(count_ready, run.ledger) > 0
            or await run.in_ledger(has_messages, run.clock())
        )


async def rounds(*, until_idle: bool, flush: bool = False) -> None:
    """One round, or rounds until nothing is ready."""
    async with runtime() as run, watched(run):
        while await work_once(flush=flush) and until_idle and not run.stop.is_set():
            pass


async def work(*, until_idle: bool, flush: bool = False) -> None:
    """One round, or rounds until nothing is ready; then the analysts' lake is refreshed."""
    async with runtime() as run, watched(run):
        await rounds(until_idle=until_idle, flush=flush)
        await refresh_lake()


@dataclass
class Lake:
    """The lake of a process that works for long: behind for a while, and brought up to date once in `every`."""

    every: timedelta
    refreshed_at: datetime
    is_behind: bool = False

    def is_due(self, now: datetime) -> bool:
        """True when there is something new, and the last time was long enough ago or lies in the future."""
        return self.is_behind and not timedelta() <= now - self.refreshed_at < self.every

    async def refresh(self, now: datetime) -> None:
        """Bring it up to date."""
        await refresh_lake()
        self.is_behind, self.refreshed_at = False, now
