"""Who listens is woken when there is news of theirs; what it is each reads for itself, from where it was."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.news import newest_news, read_news

_LOG: Final = logging.getLogger("penstock")
EVERY_S: Final = 0.2
AGAIN_S: Final = 2.0


class Feed:
    """Looks for news once for all listeners of a process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, tenant: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be news of the tenant."""
        event = asyncio.Event()
        self._listeners.setdefault(tenant, set()).add(event)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield event
        finally:
            self._listeners[tenant].discard(event)
            if not self._listeners[tenant]:
                del self._listeners[tenant]

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        """As long as somebody listens."""
        cursor = None
        while self._listeners:
            try:
                if cursor is None:
                    cursor = await asyncio.to_thread(newest_news, self._ledger)
                    self._wake(list(self._listeners))
                while rows := await asyncio.to_thread(read_news, self._ledger, cursor):
                    cursor = rows[-1].cursor
                    self._wake({row.tenant for row in rows})
                await asyncio.sleep(EVERY_S)
            except LedgerFaultError as error:
                _LOG.warning("listeners wait for the ledger: %s", error)
                await asyncio.sleep(AGAIN_S)

    def _wake(self, tenants: "set[str] | list[str]") -> None:
        for tenant in tenants:
            for event in self._listeners.get(tenant, ()):
                event.set()
