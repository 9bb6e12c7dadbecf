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
from gateway.cli.summary import print_summary, print_undelivered
from ledger.outbox import undelivered
from ledger.status import collecting, status
from tasks.runtime import utc_now
from tasks.settings import Settings


def run_work(*, until_idle: bool, flush: bool, as_json: bool) -> None:
    """Work, then print what this run did; exit code 1 when batches are dead letters or held by an outage."""
    settings, _ = start_services()
    done = work_with_progress(settings, until_idle=until_idle, flush=flush)
    if as_json:
        print_json(done)
    else:
        print_summary("This run", done)
        _print_left(settings, done)
    end_with_attention(done)


def end_with_attention(done: dict[str, Any]) -> None:
    """Exit with code 1 where somebody has to look: batches dead or held, deliverables that could not leave."""
    if done["undelivered"] or done["batches"]["by_state"].keys() & {"DEAD", "HELD"}:
        raise SystemExit(int(ExitCode.ATTENTION))


def work_with_progress(settings: Settings, *, until_idle: bool, flush: bool) -> dict[str, Any]:
    """Work with live progress; returns what was done in it, as `status` counts it, and `wall_s`."""
    from deployments.installed import ensure_installed
    from flows.rounds import work

    started_at, started = utc_now(), time.monotonic()

    async def all_of_it() -> None:
        await prepared(ensure_installed(settings))
        with ledger_of(settings) as ledger:
            watching = asyncio.create_task(watch(ledger, started_at))
            try:
                await work(until_idle=until_idle, flush=flush)
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    run_until_stopped(all_of_it())
    with ledger_of(settings) as ledger:
        done = status(ledger, since=started_at) | {"undelivered": undelivered(ledger).count}
    return {**done, "wall_s": round(time.monotonic() - started, 2)}


def _print_left(settings: Settings, done: dict[str, Any]) -> None:
    """What this run did not do, and how to go about it."""
    with ledger_of(settings) as ledger:
        waiting, failed = collecting(ledger), undelivered(ledger)
    if waiting:
        out.print(f"\n{waiting:,} events wait for a batch to fill; `penstock run --flush` closes them now.")
    print_undelivered(failed)
    print_stopped(done, *STOPPED)


STOPPED = {
    "FAILED": "The judge refused some batches; `penstock status` lists them, `penstock status BATCH` says why.",
    "DEAD": "Some batches could not be processed; `penstock dlq list` says which and why.",
    "HELD": "Some batches are held because they could not be judged; they try again by themselves while "
    "`penstock up` or `penstock run` works, and `penstock status BATCH` says when and why.",
    "PENDING": "Some batches wait because their tenants have used their solutions; they go on by themselves while "
    "`penstock up` or `penstock run` works, and `penstock status BATCH` says when.",
}


def print_stopped(done: dict[str, Any], *states: str) -> None:
    """A line for each of these ways in which batches stopped short of done."""
    for state in states:
        if done["batches"]["by_state"].get(state):
            out.print(f"\n{STOPPED[state]}")
