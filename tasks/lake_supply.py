"""The ledger's facts into the analysts' lake, here or in a process of its own (`python -m tasks.lake_supply`).

What writes Parquet and draws charts takes 200 MB and, while it does, most of the interpreter: a worker that lasts
leaves it to a process that ends.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
from pydantic import SecretStr

from ledger.engine import Ledger, close_ledger, open_ledger
from ledger.errors import LedgerError
from ledger.facts import fact_days, fact_tables, read_facts
from tasks.settings import Settings

PATIENT: Final = 10
"""By so much less urgent than the work, as `nice` has it."""
SAID: Final = 500
"""How many of the last characters of a failed process's complaint are told."""


class LakeSupplyError(Exception):
    """The process that writes the lake has failed; its last words are told."""


def write_facts(ledger: Ledger, settings: Settings, now: datetime) -> int:
    """Write all facts, then `flywheel.duckdb` and `report.html` over them beside the lake; how many files."""
    # Imported here: Prefect's threads keep flows alive past the end of the interpreter, and what a module of theirs
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


async def write_facts_apart(settings: Settings, now: datetime) -> int:
    """The same in a process of its own, which ends with this call, whatever ends it.

    Raises:
        LakeSupplyError: it failed.
    """
    # The ledger's address may hold a password: it goes by a pipe, where no list of processes shows it.
    order = orjson.dumps({"url": settings.ledger_url, "home": str(settings.home.absolute()), "now": now})
    command = (sys.executable, "-m", "tasks.lake_supply")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        written, complaint = await process.communicate(order)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise LakeSupplyError(
            f"the lake could not be written: {complaint.decode(errors='replace')[-SAID:].strip()}"
        )
    return int(written)


def main() -> None:
    """Write what standard input asks for, and say how many files that were."""
    os.nice(PATIENT)
    order = orjson.loads(sys.stdin.buffer.read())
    settings = Settings(home=Path(order["home"]), database_url=SecretStr(order["url"]))
    try:
        ledger = open_ledger(settings.ledger_url)
    except LedgerError as error:
        sys.exit(str(error))
    try:
        print(write_facts(ledger, settings, datetime.fromisoformat(order["now"])))  # noqa: T201 - its answer
    finally:
        close_ledger(ledger)


if __name__ == "__main__":
    main()
