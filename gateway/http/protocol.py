"""Connections that send their requests in time: whoever sends a header a minute holds nothing here."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.counts import Counts

HEADERS_WITHIN_S: Final = 10.0
"""Uvicorn itself bounds only the time between two requests."""


class PromptProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are not there in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open: its first request is due."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._cut_off)

    def on_message_begin(self) -> None:
        """A request begins: the rest of its headers is due."""
        super().on_message_begin()
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._cut_off)

    def on_headers_complete(self) -> None:
        """They are there; how long a body may take is for whoever reads it."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        """Nobody can be told: there is no request yet."""
        counts: Counts = self.config.app.state.counts  # type: ignore[union-attr] # our own application
        counts.refused("Headers too slow", 408, "-", f"no whole request within {HEADERS_WITHIN_S:g} s")
        self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
