"""Intake as a flow: files that the worker can read become events."""

import asyncio
from pathlib import Path

from prefect import flow, get_run_logger

from flows.forming import close_due
from flows.watch import announced
from tasks.redaction.start import redactor_of
from tasks.routing.rules import load_routes
from tasks.sources.intake import ingest
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping


@flow(name="ingest files", flow_run_name="ingest files", persist_result=False)
async def ingest_files(paths: list[str]) -> dict[str, int]:
    """Take in files and folders; returns read, accepted, duplicates, rejected.

    Args:
        paths: NDJSON, JSON, CSV or Parquet files, or folders of them, on the worker's machine.
    """
    async with announced() as run:
        mapper = Mapper(load_mapping(run.settings.mapping), load_routes(run.settings.routes))
        sources = [Path(path) for path in paths]
        redactor = await asyncio.to_thread(redactor_of, run.settings)
        result = await asyncio.to_thread(
            ingest, run.ledger, sources, mapper, now=run.clock, redactor=redactor
        )
        get_run_logger().info("%s", result.counts)
        await close_due(run)
        return result.counts._asdict()
