"""The lane: forms batches out of what is pending, and processes all that is ready, many at a time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.asyncio import concurrency
from prefect.states import Completed

from contracts.batches import Batch, BatchWork
from flows import artifacts
from flows.process_batch import run_batch
from flows.task_runner import EventLoopTaskRunner, whole
from ledger.batches import create_batches
from ledger.claims import claim_next
from ledger.due import count_ready, release_due
from ledger.pools import low_events, pending_events, topic_counts
from ledger.promotions import promote_events
from tasks.batching import closing_now, plan_batches
from tasks.outcome import Outcome
from tasks.promotion import promoted_events
from tasks.runtime import Runtime, current_runtime, runtime
from tasks.trends import Burst, find_bursts

MODEL_LIMIT = "penstock-model-requests"


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
    async with runtime() as run:
        promoted = await promote_bursts()
        created = await close_batches(flush=flush)
        released = await asyncio.to_thread(release_due, run.ledger, run.clock())
        get_run_logger().info(
            "%d events promoted, %d batches closed, %d resumed", promoted, created, released
        )
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
    run = current_runtime()
    policy = run.settings.batching
    pending = await asyncio.to_thread(pending_events, run.ledger)
    plans = await asyncio.to_thread(
        plan_batches, pending, closing_now(policy) if flush else policy, run.clock()
    )
    return await asyncio.to_thread(create_batches, run.ledger, plans, run.clock())


@flow(
    name="process ready batches",
    flow_run_name="process ready batches",
    task_runner=EventLoopTaskRunner(),
    persist_result=False,
)
async def process_ready_batches() -> State[None]:
    """Claim and process every READY batch, the urgent first and no tenant before its turn."""
    async with (
        runtime() as run,
        concurrency(MODEL_LIMIT, occupy=run.settings.model_requests_in_flight, strict=True),
    ):
        outcomes: list[Outcome] = []
        ready = await asyncio.to_thread(count_ready, run.ledger)
        running: set[asyncio.Task[State[None]]] = set()
        try:
            await start_batches(running, outcomes, run)
            bar = await artifacts.start_progress(ready, run.clock())
            while running:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                await start_batches(running, outcomes, run)
                await bar.show(len(outcomes), max(ready, len(outcomes) + len(running)), run.clock())
        finally:
            await break_off(running)
        return Completed(message=summary(outcomes))


async def start_batches(
    running: set[asyncio.Task[State[None]]], outcomes: list[Outcome], run: Runtime
) -> None:
    """Claim batches until the lane is full or none is ready."""
    while len(running) < run.settings.batches_in_flight:
        work = await claim_one(run)
        if work is None:
            return
        running.add(asyncio.create_task(one_batch(work, outcomes)))


async def break_off(running: set[asyncio.Task[State[None]]]) -> None:
    """Cancel what is left of a lane that ends early, and wait until every batch is given back."""
    for batch in running:
        batch.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def one_batch(work: BatchWork, outcomes: list[Outcome]) -> State[None]:
    """A claimed batch as a task run; its failure is a state, not an exception that would end the lane."""
    tagged = run_batch.with_options(tags=tags_of(work.batch))
    run = tagged(work.batch.label, whole(work), whole(outcomes), return_state=True)
    state = await cast(Awaitable[State[None]], run)
    get_run_logger().info("%s: %s, %s", work.batch.label, state.name, state.message)
    return state


def tags_of(batch: Batch) -> set[str]:
    """What the UI filters by, beside the names. Few, and on the batch alone.

    Every set of tags costs Prefect's client a connection of its own, and every tagged run a look at the limits.
    """
    return {f"level:{batch.level}", f"scope:{batch.scope}", f"pipeline:{batch.pipeline}"}


async def claim_one(run: Runtime) -> BatchWork | None:
    """The next batch in turn, ours for the time of the lease."""
    return await asyncio.to_thread(
        claim_next,
        run.ledger,
        lease_id=run.new_id(),
        owner=run.owner,
        now=run.clock(),
        lease_for=run.settings.lease,
    )


def summary(outcomes: list[Outcome]) -> str:
    """`38 DONE, 2 FAILED`: how the batches of a lane ended."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no batch was ready"
