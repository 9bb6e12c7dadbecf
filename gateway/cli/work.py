"""`ingest` and `run`: events in, batches through, with progress on the way."""

import asyncio
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.output import counted, err, out, print_json, print_pairs, usd
from gateway.cli.session import ledger_of, start_services
from ledger.engine import Ledger
from ledger.intake import IntakeCounts
from ledger.status import collecting, status
from tasks.runtime import utc_now
from tasks.settings import Settings, load_settings
from tasks.sources.intake import ingest
from tasks.sources.mapping import load_mapping

POLL_S = 0.5


def run_ingest(paths: list[str], *, as_json: bool) -> None:
    """Take in `paths` and print the counts."""
    settings = load_settings()
    counts = ingest_with_progress(settings, paths)
    if as_json:
        print_json(counts._asdict())
        return
    print_pairs("Taken in", counts._asdict())
    if counts.rejected:
        out.print("Rejected lines are kept with their reasons; nothing else waits for them.")


def ingest_with_progress(settings: Settings, paths: list[str]) -> IntakeCounts:
    """Take in `paths`, with a running count on standard error."""
    mapping = load_mapping(settings.mapping)
    with ledger_of(settings) as ledger, _progress() as progress:
        bar = progress.add_task("taking in", total=None)

        def tell(counts: IntakeCounts) -> None:
            progress.update(bar, description=f"taking in: {counts.read:,} read, {counts.accepted:,} accepted")

        sources = [path if path == "-" else Path(path) for path in paths]
        result = ingest(ledger, sources, mapping, now=utc_now, stdin=sys.stdin.buffer, on_progress=tell)
    for name in result.skipped:
        err.print(f"skipped {name}: not a kind of file that is read")
    return result.counts


def run_work(*, until_idle: bool, flush: bool, as_json: bool) -> None:
    """Work, then print what this run did."""
    settings, _ = start_services()
    done = work_with_progress(settings, until_idle=until_idle, flush=flush)
    if as_json:
        print_json(done)
    else:
        print_summary("This run", done)
        _print_collecting(settings)
    if done["batches"]["by_state"].get("DEAD"):
        raise SystemExit(1)


def work_with_progress(settings: Settings, *, until_idle: bool, flush: bool) -> dict[str, Any]:
    """Work with live progress; returns what was done in it, as `status` counts it, and `wall_s`."""
    from deployments.limits import ensure_limits
    from flows.rounds import work

    started_at, started = utc_now(), time.monotonic()

    async def all_of_it() -> None:
        await ensure_limits(settings)
        with ledger_of(settings) as ledger:
            watching = asyncio.create_task(_watch(ledger, started_at))
            try:
                await work(until_idle=until_idle, flush=flush)
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    asyncio.run(all_of_it())
    with ledger_of(settings) as ledger:
        done = status(ledger, since=started_at)
    return {**done, "wall_s": round(time.monotonic() - started, 2)}


def print_summary(title: str, done: dict[str, Any]) -> None:
    """The figures of `status`, for a person."""
    events, batches, made = done["events"], done["batches"], done["deliverables"]
    print_pairs(
        title,
        {
            "Events": f"{events['accepted']:,} accepted, {events['duplicates']:,} duplicates, "
            f"{events['rejected']:,} rejected",
            "Batches": f"{batches['total']:,} ({counted(batches['by_state'])})",
            "  by scope": counted(batches["by_scope"]),
            "  by level": counted(batches["by_level"]),
            "Deliverables": f"{made['total']:,} ({counted(made['by_kind'])})",
            "Model calls": f"{done['calls']:,}, {usd(done['cost_usd'])}",
        }
        | ({"Wall time": f"{done['wall_s']:.1f} s"} if "wall_s" in done else {}),
    )


def _print_collecting(settings: Settings) -> None:
    with ledger_of(settings) as ledger:
        waiting = collecting(ledger)
    if waiting:
        out.print(f"{waiting:,} events are collecting for a batch; `penstock run --flush` closes them now.")


async def _watch(ledger: Ledger, since: datetime) -> None:
    """Keep a line of progress on standard error while work goes on."""
    with _progress() as progress:
        bar = progress.add_task("starting", total=None)
        while True:
            now = await asyncio.to_thread(status, ledger, since)
            states = now["batches"]["by_state"]
            finished = sum(states.get(state, 0) for state in ("DONE", "FAILED", "DEAD", "PENDING", "HELD"))
            progress.update(
                bar,
                total=now["batches"]["total"] or None,
                completed=finished,
                description=f"{counted(states)}; {now['calls']:,} calls, {usd(now['cost_usd'])}",
            )
            await asyncio.sleep(POLL_S)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
