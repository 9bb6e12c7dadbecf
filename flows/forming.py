"""Forming batches: trends are watched, bursts promoted, and what is due is closed."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.watch import announced
from ledger.batches import create_batches
from ledger.due import is_release_due, release_due
from ledger.pending import low_events, pending_events, topic_counts
from ledger.pools import newest_event
from ledger.promotions import promote_events
from tasks.batching import closing_now, next_close, plan_batches
from tasks.promotion import promoted_events
from tasks.runtime import Runtime, current_runtime
from tasks.trends import Burst, find_bursts

LOOK_EVERY: Final = timedelta(seconds=5)
"""How long an event that came while a lane is at work waits, at most, until its batch is looked for."""


@dataclass(frozen=True)
class Formed:
    """What a round of batching did."""

    promoted: int
    created: int
    released: int


@flow(name="form batches", flow_run_name="form batches", persist_result=False)
async def form_batches(flush: bool = False) -> Formed:
    """Watch trends, promote bursts, and close the batches that are due.

    Args:
        flush: Close every open pool now, however young and small.
    """
    async with announced() as run:
        return await formed(run, flush=flush)


async def formed(run: Runtime, *, flush: bool = False) -> Formed:
    """All of forming, as part of a flow run."""
    promoted = await promote_bursts()
    created = await close_batches(flush=flush)
    released = await run.in_ledger(release_due, run.clock())
    get_run_logger().info("%d events promoted, %d batches closed, %d resumed", promoted, created, released)
    return Formed(promoted, created, released)


@task(name="trend analysis", task_run_name="trend analysis", cache_policy=NO_CACHE, persist_result=False)
async def promote_bursts() -> int:
    """Raise LOW events to HIGH where their topic bursts against its own history; returns how many."""
    run = current_runtime()
    bursts = find_bursts(await asyncio.to_thread(topic_counts, run.ledger))
    return sum([await promote(burst, run) for burst in bursts])


async def promote(burst: Burst, run: Runtime) -> int:
    """Promote the LOW events of one burst, with the evidence beside them."""
    waiting = await asyncio.to_thread(low_events, run.ledger)
    seqs = promoted_events(waiting, burst)
    evidence = {"explanation": burst.explanation, "p_value": burst.p_adjusted}
    return await asyncio.to_thread(
        promote_events, run.ledger, burst.tenant, burst.topic, seqs, evidence, run.clock()
    )


@task(name="close batches", task_run_name="close batches", cache_policy=NO_CACHE, persist_result=False)
async def close_batches(*, flush: bool) -> int:
    """Apply the batching policy to what is pending; returns how many batches are new."""
    return await close_due(current_runtime(), flush=flush)


async def close_due(run: Runtime, *, flush: bool = False) -> int:
    """Create the batches that close now, or with `flush` whatever is pending; returns how many are new."""
    policy = run.settings.batching
    pending = await asyncio.to_thread(pending_events, run.ledger)
    plans = await asyncio.to_thread(
        plan_batches, pending, closing_now(policy) if flush else policy, run.clock()
    )
    return await asyncio.to_thread(create_batches, run.ledger, plans, run.clock())


@dataclass
class Watch:
    """What a long-running worker remembers between looks, so that looking costs next to nothing.

    `newest` is the ledger number of the newest event seen, `closes_at` when the next batch closes by age.
    """

    newest: int = -1
    closes_at: datetime | None = None
    looked_at: datetime | None = None


async def is_due(watch: Watch, run: Runtime) -> bool:
    """True when events came since the last look, or a pool's, a batch's or a lease's time has come."""
    newest, now = await asyncio.to_thread(newest_event, run.ledger), run.clock()
    has_events = newest != watch.newest
    # What was due may have closed since the last look.
    if has_events or is_past(watch.closes_at, now):
        pending = await asyncio.to_thread(pending_events, run.ledger)
        watch.newest, watch.closes_at = newest, next_close(pending, run.settings.batching)
    return (
        has_events
        or is_past(watch.closes_at, now)
        or await asyncio.to_thread(is_release_due, run.ledger, now)
    )


async def form_meanwhile(watch: Watch, run: Runtime) -> None:
    """Close and release what has become due while a lane is at work, looking once in `LOOK_EVERY`.

    Without it what is urgent would wait for everything that was ready before it.
    """
    now = run.clock()
    # A clock that was set back is no reason to look away until it has caught up.
    if watch.looked_at is not None and timedelta() <= now - watch.looked_at < LOOK_EVERY:
        return
    watch.looked_at = now
    if await is_due(watch, run):
        await close_due(run)
        await asyncio.to_thread(release_due, run.ledger, now)


def is_past(moment: datetime | None, now: datetime) -> bool:
    """True when there is such a moment and it has come."""
    return moment is not None and moment <= now
