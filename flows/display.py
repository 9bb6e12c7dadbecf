"""What is on its way to the Prefect UI, behind the work that it is about: events of task runs, and artifacts.

The work does not wait for it, but where too much is on its way and, for a while, at its end: what has happened is in
the ledger.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

import httpx
import orjson
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectException
from prefect.logging import get_logger

from flows.names import EVENTS

EVERY_S: Final = 0.25
BUNDLE: Final = 100
"""The most events of a request, each of one to two kB."""
MOST_EVENTS: Final = 20_000
"""How many wait for a server that is away, and a bundle; of what is beyond, the oldest go."""
MOST_PAGES: Final = 200
"""How many artifacts may be on their way before the work waits for them."""
PATIENCE_S: Final = 30.0
"""How long the end of the work waits for what is on its way."""
AT_ONCE: Final = 2
"""How many artifacts are made at once: a server that is busy with them keeps the slots of the throttle waiting."""

UNFIT: Final = frozenset({400, 413, 422})
"""What the server says to a bundle that it cannot read or that is too large."""

Event = Mapping[str, Any]
"""An event as the server's API takes it: `POST /api/events`."""

_open: ContextVar["Display | None"] = ContextVar("penstock_display", default=None)


class Display:
    """What waits to be sent, in order."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client
        self._events: list[Event] = []
        self._bundling = asyncio.Lock()
        self._pages: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MOST_PAGES)
        self._turn = asyncio.Semaphore(AT_ONCE)

    def tell(self, event: Event) -> None:
        """Have an event sent with the next bundle."""
        self._events.append(event)
        del self._events[:-MOST_EVENTS]

    async def draw(self, page: Coroutine[Any, Any, None]) -> None:
        """Have `page` make artifacts, in its turn and in the flow or task run that asks for them."""
        try:
            await self._room.acquire()
        except asyncio.CancelledError:
            page.close()
            raise
        drawing = asyncio.create_task(self._drawn(page))
        self._pages.add(drawing)
        drawing.add_done_callback(self._gone)

    async def keep(self) -> None:
        """Send events every so often, for as long as nobody cancels."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.send()

    async def send(self) -> None:
        """Send the events that wait; while the server is away they go on waiting."""
        async with self._bundling:
            try:
                while self._events:
                    bundle, self._events = self._events[:BUNDLE], self._events[BUNDLE:]
                    await self._send_one(bundle)
            except (httpx.HTTPError, PrefectException) as error:
                get_logger("penstock").warning("task runs are shown later: %s", error)

    async def all_sent(self, patience_s: float = PATIENCE_S) -> None:
        """Wait for the artifacts that are on their way, and send the events that wait; not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._pages:
                    await asyncio.wait(set(self._pages))
                await self.send()
        if left := len(self._pages) + len(self._events):
            get_logger("penstock").warning("%d artifacts and states are not shown: the server is away", left)
        for page in (unfinished := set(self._pages)):
            page.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _send_one(self, bundle: list[Event]) -> None:
        """Broken off on its way, it is sent again: by its id the server knows what it has seen."""
        body, headers = orjson.dumps(bundle), {"content-type": "application/json"}
        try:
            await self.client.request("POST", EVENTS, content=body, headers=headers)
        except httpx.HTTPStatusError as error:
            if not _is_about_the_events(error):
                self._events[:0] = bundle
                raise
            get_logger("penstock").warning("the server refuses events of task runs: %s", error)
        except BaseException:
            self._events[:0] = bundle
            raise

    def _gone(self, drawing: "asyncio.Task[None]") -> None:
        self._pages.discard(drawing)
        self._room.release()

    async def _drawn(self, page: Coroutine[Any, Any, None]) -> None:
        async with self._turn:
            try:
                await page
            except Exception as error:  # noqa: BLE001 - no work ends for what it was to look like
                get_logger("penstock").warning("an artifact cannot be shown: %r", error)


def _is_about_the_events(error: httpx.HTTPStatusError) -> bool:
    """Whether the server will not have these events, at whatever time; it may as well ask for a login."""
    return error.request.url.path.endswith(EVENTS) and error.response.status_code in UNFIT


def display() -> Display | None:
    """The display of this code's process, or None outside of `displayed()`."""
    return _open.get()


@asynccontextmanager
async def display_client() -> AsyncIterator[PrefectClient]:
    """The display's client, which is connected, or one of its own."""
    shown_by = display()
    if shown_by is not None:
        yield shown_by.client
        return
    async with get_client() as client:
        yield client


async def draw(page: Coroutine[Any, Any, None]) -> None:
    """Have `page` make artifacts: behind the work where there is a display, else at once."""
    shown_by = display()
    if shown_by is None:
        await page
    else:
        await shown_by.draw(page)


@asynccontextmanager
async def displayed() -> AsyncIterator[None]:
    """A display for the time of the block, at whose end all is sent. Within another block, that one's serves."""
    if _open.get() is not None:
        yield
        return
    async with get_client() as client:
        opened = Display(client)
        token, keeping = _open.set(opened), asyncio.create_task(opened.keep())
        try:
            yield
        finally:
            _open.reset(token)
            keeping.cancel()
            await asyncio.wait([keeping])
            await opened.all_sent()
