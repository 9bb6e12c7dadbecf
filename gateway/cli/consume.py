"""`consume`, `attachments take`: queues of SQS worked off until Ctrl-C."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from flows.attachments import open_desk, worked_off
from flows.queues import consumed, consumers_of, told
from gateway.cli.ledger import ledger_of
from gateway.cli.output import err, out, print_json, print_table
from ledger.engine import Ledger
from tasks.runtime import utc_now
from tasks.settings import Settings, load_settings
from tasks.sources.aws.queue_reader import QueueOptions

Found = dict[str, dict[str, int]]
Work = Callable[[Settings, Ledger, threading.Event, QueueOptions], Coroutine[Any, Any, Found]]


def run_consume(queues: list[str], *, until_empty: bool, as_json: bool) -> None:
    """Take in the events that the queues hold; the counts at the end."""

    async def work(settings: Settings, ledger: Ledger, stop: threading.Event, options: QueueOptions) -> Found:
        consumers = await consumers_of(queues, settings, ledger, utc_now, options)
        err.print("taking in; Ctrl-C ends")
        tallies = await consumed(consumers, stop, until_empty=until_empty)
        return {queue: told(tally) for queue, tally in zip(queues, tallies, strict=True)}

    found = asyncio.run(_until_stopped(work, until_empty=until_empty))
    _print(found, ("messages", "given back", "accepted", "duplicates", "rejected"), as_json=as_json)
    if any(counts["rejected"] for counts in found.values()) and not as_json:
        out.print("\nWhat was rejected is kept with its reason; `penstock status` shows the latest.")


def run_take_attachments(queues: list[str], *, until_empty: bool, as_json: bool) -> None:
    """Take in the files that the queues tell of; the counts at the end."""

    async def work(settings: Settings, ledger: Ledger, stop: threading.Event, options: QueueOptions) -> Found:
        async with open_desk(settings, ledger) as desk:
            err.print("taking in; Ctrl-C ends")
            return await worked_off(queues, desk, stop, options, until_empty=until_empty)

    found = asyncio.run(_until_stopped(work, until_empty=until_empty))
    _print(found, ("messages", "given back", "kept", "duplicates", "refused", "rejected"), as_json=as_json)
    if any(counts["refused"] for counts in found.values()) and not as_json:
        out.print("\n`penstock dlq list --stage attachments` shows what was refused, and why.")


async def _until_stopped(work: Work, *, until_empty: bool) -> Found:
    settings, stop = load_settings(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = QueueOptions(wait_s=1) if until_empty else QueueOptions()
    with ledger_of(settings) as ledger:
        return await work(settings, ledger, stop, options)


def _print(found: Mapping[str, Mapping[str, int]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        (queue.rpartition("/")[2], *(counts[name.replace(" ", "_")] for name in columns))
        for queue, counts in found.items()
    ]
    print_table("Taken in", ("queue", *columns), rows)
