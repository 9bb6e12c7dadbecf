"""What the server tells a worker at once: a run that is due, a run that somebody cancels. Polling tells it later."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

SCHEDULED = "prefect.flow-run.Scheduled"
CANCELLING = "prefect.flow-run.Cancelling"
FLOW_RUN = "prefect.flow-run."
WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)


async def follow(
    pool: UUID,
    on_scheduled: Callable[[], Awaitable[object]],
    on_cancelling: Callable[[UUID], object],
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
) -> None:
    """Follow a work pool's runs until cancelled. Without a connection it tries again, ever more rarely."""
    failures = 0
    asked = EventFilter(
        event=EventNameFilter(name=[SCHEDULED, CANCELLING]),
        any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{pool}"]),
    )
    while True:
        try:
            async with get_events_subscriber(filter=asked, reconnection_attempts=0) as news:
                failures = 0
                await on_scheduled()  # What came while nobody listened.
                async for event in news:
                    if event.event == SCHEDULED:
                        await on_scheduled()
                    else:
                        on_cancelling(UUID(event.resource.id.removeprefix(FLOW_RUN)))
        except Exception as error:  # noqa: BLE001 - whatever it is, polling goes on meanwhile
            log.debug("No events from the server, runs are found by polling: %s", error)
        await asyncio.sleep(WAITS_S[min(failures, len(WAITS_S) - 1)])
        failures += 1
