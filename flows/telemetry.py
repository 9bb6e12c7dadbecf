"""What is told of the work beside it: traces and metrics to a collector, logs as JSON. Nothing depends on it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from prefect.logging import get_logger

from ledger.errors import LedgerFaultError
from ledger.measures import measures
from ledger.stories import give_back_ends, read_story, take_ends
from tasks.runtime import Runtime
from tasks.telemetry.logs import json_lines

if TYPE_CHECKING:
    from tasks.telemetry.otlp import SpanSink

EVERY_S: Final = 2.0
LONGEST_S: Final = 60.0
PATIENCE: Final = timedelta(minutes=2)
"""How long a trace waits for deliverables that have not arrived."""
METRICS_EVERY_S: Final = 15.0


@asynccontextmanager
async def logged(run: Runtime) -> AsyncIterator[None]:
    """Log as JSON to standard error for the time of the block, where that is set."""
    if run.settings.logs == "quiet":
        yield
        return
    with json_lines(sys.stderr):
        yield


@asynccontextmanager
async def telling(run: Runtime) -> AsyncIterator[None]:
    """Send traces and metrics for the time of the block, where a collector is set; the last of them at its end."""
    if run.settings.otlp_endpoint is None:
        yield
        return
    # The SDK takes a while to load: nobody waits for it who has no collector.
    from tasks.telemetry.gauges import WINDOW, metering  # noqa: PLC0415
    from tasks.telemetry.otlp import SpanSink  # noqa: PLC0415

    endpoint = run.settings.otlp_endpoint
    sink = SpanSink(endpoint, run.owner)
    meters = metering(endpoint, run.owner, METRICS_EVERY_S, lambda: measures(run.ledger, run.clock(), WINDOW))
    keeping = asyncio.create_task(_keep_telling(sink, run))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await _told(sink, run)
        await asyncio.to_thread(meters.shutdown)
        sink.close()


async def _keep_telling(sink: "SpanSink", run: Runtime) -> None:
    wait_s = EVERY_S
    while True:
        await asyncio.sleep(wait_s)
        wait_s = EVERY_S if await _told(sink, run) else min(2 * wait_s, LONGEST_S)


async def _told(sink: "SpanSink", run: Runtime) -> bool:
    """Tell of all batches that have ended; False when the collector or the ledger is away for now."""
    from tasks.telemetry.otlp import CollectorAwayError  # noqa: PLC0415

    try:
        while ends := await run.in_ledger(take_ends, run.clock(), PATIENCE):
            await _tell(ends, sink, run)
    except (CollectorAwayError, LedgerFaultError) as error:
        get_logger("penstock").warning("cannot send traces now: %s", error)
        return False
    return True


async def _tell(ends: tuple[int, ...], sink: "SpanSink", run: Runtime) -> None:
    from tasks.telemetry.spans import spans_of  # noqa: PLC0415

    provider = "penstock-offline" if run.settings.is_offline else "anthropic"
    try:
        stories = [await run.in_ledger(read_story, end) for end in ends]
        spans = [span for story in stories for span in spans_of(story, provider)]
        await asyncio.to_thread(sink.send, spans)
    except BaseException:
        await asyncio.shield(run.in_ledger(give_back_ends, ends))
        raise
