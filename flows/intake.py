"""Intake as flows: files that the worker can read become events, and whatever happens in Prefect may."""

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from contracts.events import Kind, Rejection
from flows.forming import close_due
from flows.watch import announced
from ledger.intake import record_each, record_intake
from tasks.redaction.start import redactor_of
from tasks.sources.intake import ingest
from tasks.sources.prefect_events import as_record
from tasks.sources.prepare import outcome_of
from tasks.sources.start import mapper_of


@flow(name="take in an event", flow_run_name="take in an event", persist_result=False)
async def take_in_event(event: dict[str, Any], tenant: str | None = None, kind: Kind | None = None) -> str:
    """Take in one event, be it ours, a CloudEvent, or one of Prefect's own; returns what became of it.

    An automation's action *Run deployment* hands over `{"event": ...}`: so whatever happens in Prefect can be worked
    on. What is no event is kept as a rejection, and the run does not fail: an automation that hands over failed runs
    would start itself for ever.

    Args:
        event: The event, as JSON.
        tenant: Whose it is, where it does not say so.
        kind: What it is, where neither it nor a route says so.
    """
    async with announced() as run:
        mapper = mapper_of(run.settings)
        redactor = await asyncio.to_thread(redactor_of, run.settings)
        known = {"tenant": tenant, "type": None if kind is None else kind.value}
        record = as_record(event, {name: said for name, said in known.items() if said is not None})
        outcome = outcome_of(record, "prefect", mapper, redactor)
        if isinstance(outcome, Rejection):
            await run.in_ledger(record_intake, "prefect", [], [outcome], run.clock())
            get_run_logger().warning("rejected: %s", outcome.reason)
            return "rejected"
        (taken,) = await run.in_ledger(record_each, "prefect", [outcome], [], run.clock())
        await close_due(run)
        return taken.value


@flow(name="ingest files", flow_run_name="ingest files", persist_result=False)
async def ingest_files(paths: list[str]) -> dict[str, int]:
    """Take in files and folders; returns read, accepted, duplicates, rejected.

    Args:
        paths: NDJSON, JSON, CSV or Parquet files, or folders of them, on the worker's machine.
    """
    async with announced() as run:
        mapper = mapper_of(run.settings)
        sources = [Path(path) for path in paths]
        redactor = await asyncio.to_thread(redactor_of, run.settings)
        result = await asyncio.to_thread(
            ingest, run.ledger, sources, mapper, now=run.clock, redactor=redactor
        )
        get_run_logger().info("%s", result.counts)
        await close_due(run)
        return result.counts._asdict()
