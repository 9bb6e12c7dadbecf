"""Rounds of work: form batches, process what is ready, publish, bring the lake up to date."""

import asyncio

from prefect import tags

from flows.channels import publish
from flows.forming import form_batches
from flows.lake import refresh_lake
from flows.lane import process_ready_batches
from flows.names import TAG
from flows.telemetry import logged, telling
from flows.watch import watched
from ledger.due import count_ready
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


async def rounds(*, until_idle: bool, flush: bool = False) -> None:
    """One round, or rounds until nothing is ready."""
    async with runtime() as run, watched(run):
        while await work_once(flush=flush) and until_idle and not run.stop.is_set():
            pass


async def work(*, until_idle: bool, flush: bool = False) -> None:
    """One round, or rounds until nothing is ready; then the analysts' lake is refreshed."""
    async with runtime() as run, logged(run), telling(run), watched(run):
        with tags(TAG):  # as the runs of deployments are
            await rounds(until_idle=until_idle, flush=flush)
            await refresh_lake()
