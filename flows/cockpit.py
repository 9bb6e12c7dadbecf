"""What a process that runs flows for long has at hand for all of them, and looks after beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

from flows.dispatch import dispatching
from flows.throttle import throttled
from flows.watch import watched
from tasks.runtime import Runtime, runtime
from tasks.settings import Settings


@asynccontextmanager
async def at_hand(settings: Settings, stop: Event) -> AsyncIterator[Runtime]:
    """A runtime whose slots are kept between runs, with switches watched and what is due dispatched."""
    async with runtime(settings, stop=stop) as run, throttled(run), watched(run), dispatching(run):
        yield run
