"""The flywheel's supply: the ledger's facts as Parquet by day, for analysts."""

import asyncio
from datetime import datetime

from prefect import flow, get_run_logger

from ledger.engine import Ledger
from ledger.facts import fact_days, fact_tables, read_facts
from tasks.runtime import runtime
from tasks.settings import Settings


@flow(name="refresh lake", flow_run_name="refresh lake", persist_result=False)
async def refresh_lake() -> int:
    """Rewrite every day of every fact table from the ledger; returns how many files were written."""
    async with runtime() as run:
        written = await asyncio.to_thread(write_facts, run.ledger, run.settings, run.clock())
        get_run_logger().info("%d files written to %s", written, run.settings.lake)
        return written


def write_facts(ledger: Ledger, settings: Settings, now: datetime) -> int:
    """Write all facts, then `flywheel.duckdb` and `report.html` over them beside the lake; how many files."""
    # Imported here: Prefect's threads keep flows alive past the end of the interpreter, and what a flow's module
    # holds of DuckDB would then be reported as leaked.
    from flywheel import days, publish, write_day, write_report  # noqa: PLC0415

    # Before the first fact, too, there is a lake to read.
    settings.lake.mkdir(parents=True, exist_ok=True)
    written = 0
    for table in fact_tables():
        # Days whose last row went away too: they are in the lake still.
        for day in sorted({*fact_days(ledger, table), *days(settings.lake, table)}):
            write_day(settings.lake, table, day, read_facts(ledger, table, day))
            written += 1
    publish(settings.lake, settings.home / "flywheel.duckdb")
    write_report(settings.lake, settings.report, made_at=now)
    return written
