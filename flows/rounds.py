"""Rounds of work: form batches, process what is ready, publish, bring the lake up to date."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from prefect import flow

from flows.lake import refresh_lake
from flows.lane import form_batches, process_ready_batches
from ledger.deliveries import due_messages
from ledger.due import count_ready, next_due
from ledger.pools import newest_event, pending_events
from tasks.batching import next_close
from tasks.broadcast import publish
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


@flow(name="work round", flow_run_name="work round", persist_result=False)
async def work_round(flush: bool = False) -> None:
    """One round of all there is to do.

    Args:
        flush: Close every open pool now, however young and small.
    """
    await work(until_idle=False, flush=flush)


@dataclass
class Watch:
    """What a long-running worker remembers between looks, so that looking costs next to nothing.

    `newest` is the ledger number of the newest event seen, `closes_at` when the next batch closes by age.
    """

    newest: int = -1
    closes_at: datetime | None = None


async def has_work(watch: Watch) -> bool:
    """True when events came since the last look, a batch is ready, or something's time has come."""
    async with runtime() as run:
        newest, now = await asyncio.to_thread(newest_event, run.ledger), run.clock()
        has_events = newest != watch.newest
        # What was due may have closed since the last look.
        if has_events or is_past(watch.closes_at, now):
            pending = await asyncio.to_thread(pending_events, run.ledger)
            watch.newest, watch.closes_at = newest, next_close(pending, run.settings.batching)
        return (
            has_events
            or is_past(watch.closes_at, now)
            or is_past(await asyncio.to_thread(next_due, run.ledger), now)
            or await asyncio.to_thread(count_ready, run.ledger) > 0
            or len(await asyncio.to_thread(due_messages, run.ledger, now, 1)) > 0
        )


def is_past(moment: datetime | None, now: datetime) -> bool:
    """True when there is such a moment and it has come."""
    return moment is not None and moment <= now


async def work(*, until_idle: bool, flush: bool = False) -> None:
    """One round, or rounds until nothing is ready; then the analysts' lake is refreshed."""
    async with runtime():
        while await work_once(flush=flush) and until_idle:
            pass
        await refresh_lake()
