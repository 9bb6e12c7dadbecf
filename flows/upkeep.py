"""What a schedule does though nothing happens: look for what an event has missed, release, publish, watch trends."""

from prefect import flow, get_run_logger
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import ObjectNotFound

from contracts.events import Priority
from flows.channels import publish
from flows.forming import formed, promote_bursts
from flows.lane import process_ready_batches
from flows.names import in_pool
from flows.watch import announced
from ledger.due import release_due
from ledger.lanes import unattended_levels
from ledger.watchdog import tell_what_is_stuck
from tasks.callbacks import call_back
from tasks.runtime import Runtime


@flow(name="sweep", flow_run_name="sweep", persist_result=False)
async def sweep(flush: bool = False) -> list[str]:
    """Form, release and publish what is due, and start lanes for what is ready and nobody works on.

    Args:
        flush: Close every open pool now, however young and small.
    """
    async with announced(looks=True) as run:
        await formed(run, flush=flush)
        await publish(run)
        await call_back(run)
        await tell_what_gets_nowhere(run)
        missed = await run.in_ledger(unattended_levels, run.clock())
        for level in missed:
            get_run_logger().info("%s batches are ready, and nobody works on them: a lane is started", level)
            await start_lane(level, run.settings.pool)
        return [level.value for level in missed]


async def tell_what_gets_nowhere(run: Runtime) -> None:
    """Events for batches and lanes that are stuck, once each."""
    for one in await run.in_ledger(tell_what_is_stuck, run.clock(), run.settings.stuck_after):
        get_run_logger().warning("%s %s has got nowhere since %s", one.kind, one.about, one.since)


async def start_lane(level: Priority, pool: str) -> None:
    """A lane's run of its own; where no such deployment exists, its work is done here and now."""
    try:
        deployment = in_pool(level.value.lower(), pool)
        await arun_deployment(f"process ready batches/{deployment}", timeout=0, as_subflow=False)
    except ObjectNotFound:
        await process_ready_batches(level)


@flow(name="trend analysis", flow_run_name="trend analysis", persist_result=False)
async def analyse_trends() -> int:
    """Raise LOW events to HIGH where their topic bursts against its own history; returns how many."""
    async with announced():
        return await promote_bursts()


@flow(name="release what waits", flow_run_name="release what waits", persist_result=False)
async def release_what_waits() -> int:
    """Make READY what waited for a throttle, a hold or a dead worker's lease; returns how many batches."""
    async with announced() as run:
        return await run.in_ledger(release_due, run.clock())


@flow(name="publish deliverables", flow_run_name="publish deliverables", persist_result=False)
async def publish_deliverables() -> int:
    """Send what the outbox holds and whose time has come; returns how many messages left."""
    async with announced() as run:
        return await publish(run)
