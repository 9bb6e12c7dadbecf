"""What Prefect's client sends in the background: logs and events, which must be out before its server stops."""

import inspect

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

PATIENCE_S = 10.0


async def all_sent() -> None:
    """Wait until the logs and events of this process have reached the server, for `PATIENCE_S` at most each.

    Left to the end of the process, Prefect tries for more than a minute to reach a server that has been stopped.
    """
    for worker in (APILogWorker, EventsWorker):
        sending = worker.drain_all(timeout=PATIENCE_S)
        if inspect.isawaitable(sending):
            await sending
