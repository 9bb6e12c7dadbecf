"""Progress on standard error: a live line on a terminal, a line now and then in a log."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.output import err, usd
from ledger.engine import Ledger
from ledger.status import status

POLL_S: Final = 0.5
LOG_EVERY_S: Final = 10.0
AT_WORK: Final = ("READY", "RUNNING")


def progress_bar() -> Progress:
    """A bar that leaves nothing behind; silent where standard error is no terminal."""
    return Progress(
        BarColumn(bar_width=16),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


async def watch(ledger: Ledger, since: datetime) -> None:
    """Show how work goes on, until cancelled."""
    logged = time.monotonic()
    with progress_bar() as progress:
        bar = progress.add_task("starting", total=None)
        while True:
            now = await asyncio.to_thread(status, ledger, since)
            total, left = now["batches"]["total"], at_work(now)
            progress.update(bar, total=total or None, completed=total - left, description=described(now))
            if not err.is_terminal and time.monotonic() - logged >= LOG_EVERY_S:
                logged = time.monotonic()
                err.print(described(now))
            await asyncio.sleep(POLL_S)


def described(now: Mapping[str, Any]) -> str:
    """`12 of 55 batches, 40 in work, 310 calls, $0.12`."""
    batches, left = now["batches"], at_work(now)
    if not batches["total"]:
        return "forming batches"
    running = batches["by_state"].get("RUNNING", 0)
    return (
        f"{batches['total'] - left:,} of {batches['total']:,} batches, {running:,} in work, "
        f"{now['calls']:,} calls, {usd(now['cost_usd'])}"
    )


def at_work(now: Mapping[str, Any]) -> int:
    """How many batches wait for their turn or have it."""
    return sum(now["batches"]["by_state"].get(state, 0) for state in AT_WORK)
