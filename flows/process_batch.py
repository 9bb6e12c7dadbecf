"""A batch's road: context, stages, gate, broadcast. What stops it is settled, diagnosed and shown."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from contracts.batches import BatchState, BatchWork
from flows import artifacts
from flows.budgets import solutions_budget
from flows.channels import publish
from flows.display import displayed, draw
from flows.leases import claimed, give_back, kept_lease
from flows.pipelines import pipeline_named
from flows.task_runner import EventLoopTaskRunner, settled, whole
from flows.throttle import throttled
from flows.watch import watched
from ledger.attachment_reads import attachments_of_batch
from ledger.errors import LedgerFaultError, UnreadableBatchError
from ledger.throttle import Exhausted, reserve_solutions
from ledger.work import StoredItem, finish_stage, read_items, start_stage
from tasks.broadcast import broadcast
from tasks.outcome import Outcome, SolutionsExhaustedError, settle_failure, worst
from tasks.produce import caller_for, produce
from tasks.runtime import current_runtime, runtime
from tasks.shells import produce_item, validate_context
from tasks.stages.base import BatchContext, Item, ItemSpec, Stage
from tasks.telemetry.logs import about

FILES_OF_AN_EVENT: Final = 5
"""So many attachments of each event are shown to models."""
BENEATH: Final = (LedgerFaultError, httpx.HTTPError)
"""What fails beneath all batches alike, the ledger or Prefect's server, is the fault of none: each is given back."""


async def process(work: BatchWork) -> Outcome:
    """Take a claimed batch to its end, whatever that is. Broken off, or `BENEATH` failing, it is still claimed."""
    with about(batch=work.batch.id, tenant=work.batch.tenant):
        outcome = await processed(work)
        await draw(artifacts.show_outcome(outcome))
        get_logger("penstock").info("%s: %s", outcome.state.value, outcome.shown)
    return outcome


async def processed(work: BatchWork) -> Outcome:
    """The batch's road, and the settlement of what stopped it; what is `BENEATH` it is raised."""
    now_in = "validate context"
    try:
        async with kept_lease(work):
            attached = await current_runtime().in_ledger(
                attachments_of_batch, work.batch.id, FILES_OF_AN_EVENT
            )
            context = await validate_context(whole(work), whole(attached))
            stored = await current_runtime().in_ledger(read_items, work.batch.id)
            earlier = {item.item: item for item in stored}
            for stage in pipeline_named(work.batch.pipeline).stages:
                now_in = stage.name
                context = await run_stage(stage, context, earlier)
            now_in = "broadcast"
            return await broadcast(context, work.lease, current_runtime())
    except BENEATH:
        raise
    except Exception as error:  # noqa: BLE001 - every way a batch can fail ends in a state and a diagnosis
        return await settle_failure(work, now_in, error, current_runtime())


async def run_stage(stage: Stage, context: BatchContext, stored: Mapping[str, StoredItem]) -> BatchContext:
    """Generate and judge all items of a stage side by side; the first kind of trouble that matters is raised.

    `stored` is what earlier attempts have made of the batch, by the item's name.
    """
    run = current_runtime()
    specs = stage.plan(context, run.stage_options)
    if stage.reserves_solutions:
        await reserve(context, sum(spec.name not in stored for spec in specs))
    async with recorded_stage(context, stage):
        results = await map_items(stage, specs, stored, context)
        troubles = [result for result in results if isinstance(result, BaseException)]
        if troubles:
            raise worst(troubles)
    return context.with_items(tuple(result for result in results if isinstance(result, Item)))


async def map_items(
    stage: Stage, specs: tuple[ItemSpec, ...], stored: Mapping[str, StoredItem], context: BatchContext
) -> list[Item | BaseException]:
    """One mapped task run an item, or none where only batches are tracked; an earlier attempt's work is handed on."""
    callers = [caller_for(context.work, stage.name, spec.name) for spec in specs]
    earlier = [stored.get(spec.name) for spec in specs]
    run = current_runtime()
    if run.settings.track == "batches":
        each = zip(specs, callers, earlier, strict=True)
        made = (produce(spec, who, had, run.producer) for spec, who, had in each)
        return await asyncio.gather(*made, return_exceptions=True)
    titles = [spec.label for spec in specs]
    return await settled(
        produce_item.map(title=titles, spec=whole(specs), who=whole(callers), stored=whole(earlier))
    )


async def reserve(context: BatchContext, count: int) -> None:
    """Take `count` solutions of the tenant's rolling window, or stop until it frees."""
    run = current_runtime()
    granted = await asyncio.to_thread(
        reserve_solutions,
        run.ledger,
        tenant=context.batch.tenant,
        batch_id=context.batch.id,
        count=count,
        limit=await solutions_budget(run.ledger, run.settings),
        window=run.settings.solution_window,
        now=run.clock(),
    )
    if isinstance(granted, Exhausted):
        raise SolutionsExhaustedError(context.batch.tenant, granted.resume_at)


@asynccontextmanager
async def recorded_stage(context: BatchContext, stage: Stage) -> AsyncIterator[None]:
    """Write a stage's beginning and end to the ledger; what is logged meanwhile is about this stage."""
    run, batch, log = current_runtime(), context.batch.id, get_logger("penstock")
    with about(stage=stage.name):
        await run.write(start_stage, batch, stage.name, run.clock())
        log.info("stage begun")
        try:
            yield
        except Exception as error:
            await run.write(finish_stage, batch, stage.name, "FAILED", str(error), run.clock())
            log.info("stage stopped: %s", error)
            raise
        await run.write(finish_stage, batch, stage.name, "DONE", None, run.clock())
        log.info("stage done")


def as_state(outcome: Outcome) -> State[None]:
    """What Prefect shows: a failed run for a failed batch, and for one that waits a name that says so."""
    names = {
        BatchState.PENDING: "Pending throttle",
        BatchState.HELD: "Held",
        BatchState.WAITING: "Waiting for answers",
    }
    if outcome.state in {BatchState.FAILED, BatchState.DEAD}:
        return Failed(message=outcome.shown)
    return Completed(name=names.get(outcome.state, "Completed"), message=outcome.shown)


@task(name="batch", task_run_name="{title}", cache_policy=NO_CACHE, persist_result=False)
async def run_batch(title: str, work: BatchWork, outcomes: list[Outcome]) -> State[None]:
    """A batch as one task of a lane."""
    del title
    outcome = await process(work)
    outcomes.append(outcome)
    return as_state(outcome)


@flow(name="process batch", flow_run_name="{batch}", task_runner=EventLoopTaskRunner(), persist_result=False)
async def process_batch(batch: str) -> State[None]:
    """Process one READY batch as a flow run of its own, once the model's slots are free; one taken is left alone.

    Args:
        batch: The batch's id, as `penstock status` shows it.
    """
    async with runtime() as run, displayed(), watched(run), throttled(run):
        work = await claimed(run, batch)
        if isinstance(work, UnreadableBatchError):
            return as_state(await settle_failure(work.work, "validate context", work, run))
        if work is None:
            return Completed(name="Nothing to do", message=f"{batch} is not READY")
        try:
            await name_this_run(work.batch.label)
            get_run_logger().info("processing %s: %d events", work.batch.label, work.batch.size)
            outcome = await process(work)
            await publish(run)
            return as_state(outcome)
        except (asyncio.CancelledError, *BENEATH):
            give_back([work], run)
            raise


async def name_this_run(name: str) -> None:
    """Give the flow run the name of its batch, which is known only once it is claimed."""
    async with get_client() as client:
        await client.update_flow_run(flow_run.id, name=name)
