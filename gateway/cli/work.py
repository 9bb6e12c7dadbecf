"""`run`: batches through."""

import asyncio
import time
from typing import Any

from gateway.cli.errors import ExitCode
from gateway.cli.interrupt import run_until_stopped
from gateway.cli.ledger import ledger_of
from gateway.cli.output import out, print_json
from gateway.cli.progress import watch
from gateway.cli.start import prepared, start_services
from gateway.cli.summary import print_summary
from ledger.status import collecting, status
from tasks.runtime import utc_now
from tasks.settings import Settings


def run_work(*, until_idle: bool, flush: bool, as_json: bool) -> None:
    """Work, then print what this run did; exit code 1 when batches ended as dead letters."""
    settings, _ = start_services()
    done = work_with_progress(settings, until_idle=until_idle, flush=flush)
    if as_json:
        print_json(done)
    else:
        print_summary("This run", done)
        _print_left(settings, done)
    if done["batches"]["by_state"].get("DEAD"):
        raise SystemExit(int(ExitCode.ATTENTION))


def work_with_progress(settings: Settings, *, until_idle: bool, flush: bool) -> dict[str, Any]:
    """Work with live progress; returns what was done in it, as `status` counts it, and `wall_s`."""
    from deployments.limits import ensure_limits
    from flows.rounds import work

    started_at, started = utc_now(), time.monotonic()

    async def all_of_it() -> None:
        await prepared(ensure_limits(settings))
        with ledger_of(settings) as ledger:
            watching = asyncio.create_task(watch(ledger, started_at))
            try:
                await work(until_idle=until_idle, flush=flush)
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    run_until_stopped(all_of_it())
    with ledger_of(settings) as ledger:
        done = status(ledger, since=started_at)
    return {**done, "wall_s": round(time.monotonic() - started, 2)}


def _print_left(settings: Settings, done: dict[str, Any]) -> None:
    """What this run did not do, and how to go about it."""
    with ledger_of(settings) as ledger:
        waiting = collecting(ledger)
    if waiting:
        out.print(f"\n{waiting:,} events wait for a batch to fill; `penstock run --flush` closes them now.")
    if done["batches"]["by_state"].get("FAILED"):
        out.print(
            "\nThe judge refused some batches; `penstock status` lists them, `penstock status BATCH` says why."
        )
    if done["batches"]["by_state"].get("DEAD"):
        out.print("\nSome batches could not be processed; `penstock dlq list` says which and why.")
