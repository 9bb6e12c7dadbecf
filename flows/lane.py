"""The lane: processes what is ready, of one level or of all, the urgent first, many batches at a time."""

import asyncio
from collections.abc import Awaitable
from typing import Final, cast

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from contracts.batches import Batch, BatchWork
from contracts.events import Priority
from flows import artifacts
from flows.channels import publish
from flows.display import displayed
from flows.forming import Watch, form_meanwhile
from flows.leases import claimed_in_turn, give_back
from flows.outages import what_the_server_said
from flows.places import Place, at_work
from flows.process_batch import BENEATH, run_batch
from flows.task_runner import EventLoopTaskRunner, whole
from flows.throttle import throttled
from flows.watch import announced
from ledger.due import count_ready
from ledger.errors import UnreadableBatchError
from tasks.outcome import Outcome, settle_failure
from tasks.runtime import Runtime, current_runtime

Running = dict[asyncio.Task[State[None]], BatchWork]
"""The batches in work, by the task of each."""
READY_EVERY_S: Final = 0.25
"""How often a lane that has room looks for a batch."""
AT_ONCE: Final = 10
"""How many batches a lane claims in one transaction: those begin while it claims the next."""


def lane_name() -> str:
    """`HIGH lane`, or `every lane`."""
    level = flow_run.parameters.get("level")
    return "every lane" if level is None else f"{Priority(level).value} lane"


@flow(
    name="process ready batches",
    flow_run_name=lane_name,
    task_runner=EventLoopTaskRunner(),
    persist_result=False,
)
async def process_ready_batches(level: Priority | None = None, linger_s: float = 0.0) -> State[None]:
    """Claim and process READY batches, the urgent first and no tenant before its turn.

    Args:
        level: Only batches of this level; without it those of every level.
        linger_s: How long to go on looking once nothing is ready, in seconds.
    """
    async with announced() as run, displayed(), throttled(run), at_work(level, linger_s, run) as place:
        outcomes: list[Outcome] = []
        ready, watch = await run.in_ledger(count_ready, level), Watch(looked_at=run.clock())
        running: Running = {}
        try:
            await start_batches(running, outcomes, place, run)
            bar = artifacts.ProgressBar(ready, run.clock())
            while running or not await place.left():
                for batch in await ended(running):
                    batch.result()
                    del running[batch]
                await place.stay()
                await form_meanwhile(watch, run)
                await start_batches(running, outcomes, place, run)
                await bar.show(len(outcomes), max(ready, len(outcomes) + len(running)), run.clock())
        finally:
            await break_off(running, run)
        return Completed(message=summary(outcomes))


async def ended(running: Running) -> set[asyncio.Task[State[None]]]:
    """The batches that have come to an end, after a moment at most."""
    if not running:
        await asyncio.sleep(READY_EVERY_S)
        return set()
    done, _ = await asyncio.wait(running, timeout=READY_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
    if done:
        await publish(current_runtime())
    return done


async def start_batches(running: Running, outcomes: list[Outcome], place: Place, run: Runtime) -> None:
    """Claim batches until the lane is full, none is ready, or the process is to end."""
    while not (run.stop.is_set() or place.is_used_up) and await run.in_ledger(count_ready, place.level) > 0:
        room = run.settings.batches_in_flight - len(running)
        if room <= 0:
            await place.full()
            return
        claims = await claimed_in_turn(run, place.level, min(room, place.room, AT_ONCE))
        if not claims:
            return
        works = [one for one in claims if isinstance(one, BatchWork)]
        running |= {asyncio.create_task(one_batch(work, outcomes)): work for work in works}
        for one in claims:
            if isinstance(one, UnreadableBatchError):
                await settle_failure(one.work, "validate context", one, run)
        await place.worked(len(works))


async def break_off(running: Running, run: Runtime) -> None:
    """Cancel what is left of a lane that ends early, and give every batch back, also one that had not begun."""
    for batch in running:
        batch.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    if running:
        # All in one transaction: a ledger that cannot be reached is waited for once.
        give_back(running.values(), run)


async def one_batch(work: BatchWork, outcomes: list[Outcome]) -> State[None]:
    """A claimed batch as a task run; its failure is a state. What would end all others too ends the lane."""
    tagged = run_batch.with_options(tags=tags_of(work.batch))
    run = tagged(work.batch.label, whole(work), whole(outcomes), return_state=True)
    with what_the_server_said():
        state = await cast(Awaitable[State[None]], run)
    get_run_logger().info("%s: %s, %s", work.batch.label, state.name, state.message)
    if state.is_failed() and isinstance(fault := await state.aresult(raise_on_failure=False), BENEATH):
        raise fault
    return state


def tags_of(batch: Batch) -> set[str]:
    """What the UI filters by, beside the names. Few, and on the batch alone.

    Every set of tags costs Prefect's client a connection of its own, and every tagged run a look at the limits.
    """
    return {f"level:{batch.level}", f"scope:{batch.scope}", f"pipeline:{batch.pipeline}"}


def summary(outcomes: list[Outcome]) -> str:
    """`38 DONE, 2 FAILED`: how the batches of a lane ended."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no batch was ready"
