"""Queues as a source: what SQS holds becomes events, for as long as a run, or a process, is given."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Final

from prefect import flow, get_run_logger

from flows.aws import aws_clients
from flows.forming import close_due
from flows.watch import announced
from ledger.engine import Ledger
from tasks.redaction.start import redactor_of
from tasks.settings import Settings
from tasks.sources.aws.queue import QueueConsumer, Tally
from tasks.sources.aws.queue_reader import QueueOptions
from tasks.sources.start import mapper_of

LOOK_EVERY_S: Final = 1.0
"""How often batches are formed of what has come in meanwhile."""


@flow(name="take in queues", flow_run_name="take in queues", persist_result=False)
async def take_in_queues(queues: list[str], for_s: float = 0.0) -> dict[str, dict[str, int]]:
    """Take in what queues hold; returns what became of it, by queue.

    Args:
        queues: Addresses of SQS queues, as https://sqs.eu-west-1.amazonaws.com/123456789012/events.
        for_s: How many seconds to go on waiting for more; 0 ends when the queues are empty.
    """
    async with announced() as run:
        stop, options = for_a_while(for_s)
        consumers = await consumers_of(queues, run.settings, run.ledger, run.clock, options)
        tallies = await consumed(consumers, stop, until_empty=not for_s, meanwhile=lambda: close_due(run))
        found = {queue: told(tally) for queue, tally in zip(queues, tallies, strict=True)}
        get_run_logger().info("%s", found)
        return found


def for_a_while(for_s: float) -> tuple[threading.Event, QueueOptions]:
    """What ends after so many seconds, and how to wait meanwhile; 0 is until the queues are empty."""
    stop = threading.Event()
    if not for_s:
        return stop, QueueOptions(wait_s=1)
    asyncio.get_running_loop().call_later(for_s, stop.set)
    return stop, QueueOptions()


async def consumers_of(
    queues: Sequence[str],
    settings: Settings,
    ledger: Ledger,
    now: Callable[[], datetime],
    options: QueueOptions,
) -> list[QueueConsumer]:
    """A consumer for each queue, by the installation's mapping, routes and redaction."""
    mapper = mapper_of(settings)
    redactor = await asyncio.to_thread(redactor_of, settings)
    clients = await aws_clients(settings.aws_block)
    return [
        QueueConsumer(clients, queue, ledger, mapper, now=now, redactor=redactor, options=options)
        for queue in queues
    ]


async def consumed(
    consumers: Sequence[QueueConsumer],
    stop: threading.Event,
    *,
    until_empty: bool = False,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
) -> list[Tally]:
    """Work the queues off side by side, and do what has to be done meanwhile every so often."""
    loop = asyncio.get_running_loop()
    # Threads of their own: each is taken for as long as its queue is read.
    with ThreadPoolExecutor(max(1, len(consumers)), "queue") as threads:
        working = [
            loop.run_in_executor(threads, partial(one.run, stop, until_empty=until_empty))
            for one in consumers
        ]
        try:
            while not (all(one.done() for one in working) or any(map(_has_failed, working))):
                await asyncio.wait(working, timeout=LOOK_EVERY_S)
                if meanwhile is not None:
                    await meanwhile()
        finally:
            # One that failed ends the others: nobody would see that a queue is not read any more.
            stop.set()
            if working:
                await asyncio.wait(working)
    return [one.result() for one in working]


def _has_failed(working: "asyncio.Future[Tally]") -> bool:
    return working.done() and working.exception() is not None


def told(tally: Tally) -> dict[str, int]:
    """Counts, as logs and commands show them."""
    return {"messages": tally.messages, "given_back": tally.back, **tally.counts._asdict()}
