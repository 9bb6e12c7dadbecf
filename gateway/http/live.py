"""`/v1/live`: news over a WebSocket while they happen, from a cursor on; and a page that shows them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

from gateway.http.access import KNOWN_S
from gateway.http.state import Gateway
from ledger.api_keys import Holder
from ledger.batch_reads import read_batch
from ledger.errors import AmbiguousIdError
from ledger.news import BEGINNING, Cursor, News, newest_news, read_news

router = APIRouter(tags=["live"])
PROTOCOL: Final = "penstock.v1"
"""A browser sends the key as a second subprotocol, for it can set no header."""
NOT_LET_IN: Final = 4401
UNKNOWN: Final = 4404
UNUSABLE: Final = 4400
"""Close codes, as HTTP's statuses; https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2 leaves 4000 and up to us."""


@router.websocket("/v1/live")
async def live(
    socket: WebSocket,
    batch: Annotated[str | None, Query()] = None,
    after: Annotated[str | None, Query()] = None,
) -> None:
    """News of a batch from its beginning, or of all of the tenant's from now on; after a cursor where one is given.

    The first says `listening`. Each is a JSON text with its `cursor`: whoever comes back with the last one misses
    nothing and gets nothing twice.
    """
    gateway: Gateway = socket.app.state.gateway
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)

    async def known() -> Holder | None:
        return await gateway.access.listener(socket.headers, offered)

    holder = await known()
    if holder is None:
        await _refuse(socket, gateway, NOT_LET_IN, "send an API key")
        return
    whole = None if batch is None else await _whole_id(gateway, batch, holder)
    if batch is not None and whole is None:
        await _refuse(socket, gateway, UNKNOWN, "there is no such batch of yours")
        return
    try:
        cursor = await _start(gateway, whole, after)
    except ValueError:
        await _refuse(socket, gateway, UNUSABLE, "after takes the cursor of the last news")
        return
    with gateway.counts.listeners.track_inprogress():
        await _until_gone(socket, gateway, _Listening(known, holder.tenant, whole), cursor)


@router.get("/live", include_in_schema=False)
async def page() -> HTMLResponse:
    """The page that shows a batch moving through its stages."""
    text = (files("gateway.http") / "live.html").read_text(encoding="utf-8")
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
    return HTMLResponse(text, headers={"content-security-policy": policy, "referrer-policy": "no-referrer"})


async def _refuse(socket: WebSocket, gateway: Gateway, code: int, why: str) -> None:
    gateway.counts.refused("Listener", code, "/v1/live", why)
    await socket.close(code, why)


async def _whole_id(gateway: Gateway, batch: str, holder: Holder) -> str | None:
    try:
        found = await asyncio.to_thread(read_batch, gateway.ledger, batch)
    except AmbiguousIdError:
        return None
    return None if found is None or found.tenant != holder.tenant else found.id


async def _start(gateway: Gateway, batch: str | None, after: str | None) -> Cursor:
    """Where to begin; ValueError for what is no cursor."""
    if after is not None:
        return Cursor.read(after)
    return BEGINNING if batch is not None else await asyncio.to_thread(newest_news, gateway.ledger)


@dataclass(frozen=True)
class _Listening:
    """Who listens (asked again while they do), and to what."""

    known: Callable[[], Awaitable[Holder | None]]
    tenant: str
    batch: str | None


async def _until_gone(socket: WebSocket, gateway: Gateway, who: _Listening, cursor: Cursor) -> None:
    """Tell until the listener has gone; a slow one is waited for, and holds nothing but its place."""
    with gateway.feed.listening(who.tenant) as woken:
        telling = asyncio.create_task(_tell(socket, gateway, who, cursor, woken))
        listening = asyncio.create_task(_wait_for_end(socket))
        await asyncio.wait([telling, listening], return_when=asyncio.FIRST_COMPLETED)
        for one in (telling, listening):
            one.cancel()
        ended = await asyncio.gather(telling, listening, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            raise error


async def _tell(
    socket: WebSocket, gateway: Gateway, who: _Listening, cursor: Cursor, woken: asyncio.Event
) -> None:
    """Everything after the cursor, and on; until the key is revoked."""
    await socket.send_text(orjson.dumps({"name": "listening", "cursor": str(cursor)}).decode())
    while await who.known() is not None:
        woken.clear()
        while rows := await asyncio.to_thread(
            read_news, gateway.ledger, cursor, tenant=who.tenant, batch=who.batch
        ):
            for row in rows:
                await socket.send_text(_text(row))
            cursor = rows[-1].cursor
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), KNOWN_S)
    await socket.close(NOT_LET_IN, "the key is revoked")


async def _wait_for_end(socket: WebSocket) -> None:
    """Whatever a listener says is not listened to."""
    while True:
        await socket.receive_text()


def _text(row: News) -> str:
    told = {"cursor": str(row.cursor), "at": row.at, "tenant": row.tenant, "name": row.name, **row.payload}
    return orjson.dumps(told | ({"batch": row.batch} if row.batch else {})).decode()
