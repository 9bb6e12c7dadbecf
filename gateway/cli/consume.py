"""`consume`: queues of SQS worked off until Ctrl-C."""

import asyncio
import signal
import threading

from flows.queues import consumed, consumers_of, told
from gateway.cli.ledger import ledger_of
from gateway.cli.output import err, out, print_json, print_table
from tasks.runtime import utc_now
from tasks.settings import load_settings
from tasks.sources.aws.queue_reader import QueueOptions


def run_consume(queues: list[str], *, until_empty: bool, as_json: bool) -> None:
    """Take in what the queues hold; the counts at the end."""
    found = asyncio.run(_consume(queues, until_empty=until_empty))
    if as_json:
        print_json(found)
        return
    columns = ("queue", "messages", "given back", "accepted", "duplicates", "rejected")
    rows = [
        (queue.rpartition("/")[2], *(counts[name.replace(" ", "_")] for name in columns[1:]))
        for queue, counts in found.items()
    ]
    print_table("Taken in", columns, rows)
    if any(counts["rejected"] for counts in found.values()):
        out.print("\nWhat was rejected is kept with its reason; `penstock status` shows the latest.")


async def _consume(queues: list[str], *, until_empty: bool) -> dict[str, dict[str, int]]:
    settings, stop = load_settings(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = QueueOptions(wait_s=1) if until_empty else QueueOptions()
    with ledger_of(settings) as ledger:
        consumers = await consumers_of(queues, settings, ledger, utc_now, options)
        err.print("taking in; Ctrl-C ends")
        tallies = await consumed(consumers, stop, until_empty=until_empty)
    return {queue: told(tally) for queue, tally in zip(queues, tallies, strict=True)}
