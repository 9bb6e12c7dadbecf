"""Connections that send their requests in time: whoever sends a header a minute holds nothing here."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.counts import Counts

MOST_HEADER_BYTES: Final = 65_536
HEADERS_WITHIN_S: Final = 10.0
"""Uvicorn itself bounds only the time between two requests."""


class PromptProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are not there in time."""

    _deadline: asyncio.TimerHandle | None = None
    _is_reading_headers, _header_bytes = True, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open: its first request is due."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._too_late)

    def data_received(self, data: bytes) -> None:
        """Something has come; of headers that are not at their end no more than may be is read."""
        super().data_received(data)
        self._header_bytes = self._header_bytes + len(data) if self._is_reading_headers else 0
        if self._header_bytes > MOST_HEADER_BYTES:
            self._cut_off(
                "Headers too large", 431, f"more than {MOST_HEADER_BYTES:,} bytes before a request's body"
            )

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused by uvicorn itself."""
        self._count("Not HTTP", 400, msg)
        super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """A request begins: the rest of its headers is due."""
        super().on_message_begin()
        self._is_reading_headers = True
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._too_late)

    def on_headers_complete(self) -> None:
        """They are there; how long a body may take is for whoever reads it."""
        self._stop_waiting()
        self._is_reading_headers = False
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _too_late(self) -> None:
        self._cut_off("Headers too slow", 408, f"no whole request within {HEADERS_WITHIN_S:g} s")

    def _cut_off(self, reason: str, status: int, detail: str) -> None:
        """Nobody can be told: there is no request yet."""
        if not self.transport.is_closing():
            self._count(reason, status, detail)
            self.transport.close()

    def _count(self, reason: str, status: int, detail: str) -> None:
        counts: Counts = self.config.app.state.counts  # type: ignore[union-attr] # our own application
        counts.refused(reason, status, "-", detail)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
