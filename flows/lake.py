"""The flywheel's supply: the ledger's facts as Parquet by day, for analysts."""

import asyncio

from prefect import flow, get_run_logger

from tasks.lake_supply import write_facts, write_facts_apart
from tasks.runtime import runtime


@flow(name="refresh lake", flow_run_name="refresh lake", persist_result=False)
async def refresh_lake() -> int:
    """Rewrite every day of every fact table from the ledger; returns how many files were written."""
    async with runtime() as run:
        if run.lasts:
            written = await write_facts_apart(run.settings, run.clock())
        else:
            written = await asyncio.to_thread(write_facts, run.ledger, run.settings, run.clock())
        get_run_logger().info("%d files written to %s", written, run.settings.lake)
        return written
