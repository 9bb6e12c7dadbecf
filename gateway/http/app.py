"""The gateway as an ASGI application: what it needs is opened with it, and closed when its last request is answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from flows.aws import fetch_by
from gateway.http import event_status, events, health, live, reading, reviews, tasks
from gateway.http.access import Access
from gateway.http.counts import Counting, Counts, Installation
from gateway.http.described import description_of, name_of
from gateway.http.feed import Feed
from gateway.http.intake import Desk
from gateway.http.limits import RateLimit
from gateway.http.problems import RefusedError, away, refused, unknown, unusable
from gateway.http.state import Gateway
from ledger.engine import close_ledger, open_ledger
from ledger.errors import LedgerFaultError
from ledger.measures import measures
from tasks.redaction.start import redactor_of
from tasks.runtime import utc_now
from tasks.settings import Settings
from tasks.sources.start import mapper_of
from tasks.telemetry.gauges import WINDOW

THREADS: Final = 32
FETCHES: Final = 8
"""How many documents are fetched at once; the other threads are for what is quick."""
ABOUT: Final = (
    "Events in, judged deliverables out. Every request needs a tenant's API key; "
    "`penstock keys make` makes one."
)


def create_app(settings: Settings, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """The gateway of an installation."""
    counts = Counts()
    # With the page's scripts from here: a gateway's reader may reach nothing else, and nobody else's run in it.
    app = FastAPIOffline(
        redoc_url=None,
        static_url="/docs/assets",
        title="Penstock",
        version="1",
        description=ABOUT,
        lifespan=lambda app: _opened(app, settings, counts, now),
        generate_unique_id_function=name_of,
        exception_handlers={
            RefusedError: refused,
            RequestValidationError: unusable,
            HTTPException: unknown,
            LedgerFaultError: away,
        },
    )
    # Where refusals find it, also those of connections that never become a request.
    app.state.counts = counts
    app.add_middleware(Counting, counts=counts)
    for part in (events, event_status, reading, reviews, live, tasks, health):
        app.include_router(part.router)
    app.openapi = partial(description_of, app)  # type: ignore[method-assign] # as FastAPI's documentation has it
    return app


@asynccontextmanager
async def _opened(
    app: FastAPI, settings: Settings, counts: Counts, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """What requests find open, for as long as there are any."""
    # Two cores would have six, for all keys, listeners and fetches together.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "gateway"))
    ledger = open_ledger(settings.ledger_url)
    desk, feed = Desk(ledger, now), Feed(ledger)
    app.state.gateway = Gateway(
        settings,
        ledger,
        Access(ledger, now),
        desk,
        feed,
        RateLimit(lambda tenant: settings.http_limits(tenant)[0]),
        mapper_of(settings),
        redactor_of(settings),
        now,
        lambda place: fetch_by(settings.aws_block, place),
        asyncio.Semaphore(FETCHES),
        counts,
    )
    counts.registry.register(Installation(lambda: measures(ledger, now(), WINDOW)))
    try:
        yield
    finally:
        await desk.close()
        await feed.close()
        close_ledger(ledger)
