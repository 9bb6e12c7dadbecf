"""Dead letters in the Prefect UI: replay, purge and export as flows, so that there are forms for them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.watch import announced
from ledger.dead_letters import LetterFilter, letter_ids, purge_letters
from tasks.dead_letters import chosen, export_letters, replay_paced
from tasks.runtime import Runtime, runtime

Hours = Annotated[float, Field(ge=0, le=876_000)]
Rate = Annotated[float, Field(gt=0, le=60_000)]


@flow(name="replay dead letters", flow_run_name="replay dead letters", persist_result=False)
async def replay_dead_letters(
    stage: str | None = None,
    error: str | None = None,
    tenant: str | None = None,
    older_than_hours: Hours | None = None,
    newer_than_hours: Hours | None = None,
    per_minute: Rate = 60,
    dry_run: bool = True,
) -> State[None]:
    """Send dead letters back to work; what was paid for is not paid again.

    Args:
        stage: Only those of this stage; `delivery` for what could not be delivered.
        error: Only those of this kind of error, such as `RateLimitError`.
        tenant: Only those of this tenant.
        older_than_hours: Only those at least this old.
        newer_than_hours: Only those younger than this.
        per_minute: How many a minute at most.
        dry_run: Only count them. Untick to replay.
    """
    async with announced() as run:
        only = _only(run, stage, error, tenant, older_than_hours, newer_than_hours)
        ids = await run.in_ledger(letter_ids, replace(only, replayed=False))
        if dry_run:
            return Completed(name="Dry run", message=f"{len(ids)} dead letters would be replayed")
        went = 0
        async for letter, has_gone in replay_paced(run.ledger, ids, per_minute=per_minute, clock=run.clock):
            went += has_gone
            get_run_logger().info("%s %s", letter, "replayed" if has_gone else "had nothing to replay")
        return Completed(message=f"{went} of {len(ids)} dead letters replayed")


@flow(name="purge dead letters", flow_run_name="purge dead letters", persist_result=False)
async def purge_dead_letters(
    stage: str | None = None,
    error: str | None = None,
    tenant: str | None = None,
    older_than_hours: Hours | None = None,
    newer_than_hours: Hours | None = None,
    confirm: bool = False,
) -> State[None]:
    """Remove dead letters for good. Their batches stay DEAD.

    Args:
        stage: Only those of this stage.
        error: Only those of this kind of error.
        tenant: Only those of this tenant.
        older_than_hours: Only those at least this old.
        newer_than_hours: Only those younger than this.
        confirm: Tick to remove them; without it they are only counted.
    """
    async with runtime() as run:
        only = _only(run, stage, error, tenant, older_than_hours, newer_than_hours)
        if not confirm:
            count = len(await run.in_ledger(letter_ids, only))
            return Completed(name="Not confirmed", message=f"{count} dead letters would be removed")
        return Completed(message=f"{await run.in_ledger(purge_letters, only)} dead letters removed")


@flow(name="export dead letters", flow_run_name="export dead letters", persist_result=False)
async def export_dead_letters(
    path: Path,
    stage: str | None = None,
    error: str | None = None,
    tenant: str | None = None,
    older_than_hours: Hours | None = None,
    newer_than_hours: Hours | None = None,
) -> State[None]:
    """Write dead letters to a file on the worker's machine, one JSON object a line.

    Args:
        path: The file, under Penstock's home where it is no full path; what is there is replaced.
        stage: Only those of this stage.
        error: Only those of this kind of error.
        tenant: Only those of this tenant.
        older_than_hours: Only those at least this old.
        newer_than_hours: Only those younger than this.
    """
    async with runtime() as run:
        only = _only(run, stage, error, tenant, older_than_hours, newer_than_hours)
        file = run.settings.home / path
        count = await run.in_ledger(export_letters, only, file)
        return Completed(message=f"{count} dead letters written to {file}")


def _only(
    run: Runtime,
    stage: str | None,
    error: str | None,
    tenant: str | None,
    older_than_hours: float | None,
    newer_than_hours: float | None,
) -> LetterFilter:
    return chosen(
        stage=stage,
        error=error,
        tenant=tenant,
        older_than=_age(older_than_hours),
        newer_than=_age(newer_than_hours),
        now=run.clock(),
    )


def _age(hours: float | None) -> timedelta | None:
    return None if hours is None else timedelta(hours=hours)
