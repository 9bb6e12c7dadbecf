"""Events from many requests, recorded together: while one transaction is written, what comes waits for the next."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import Rejection
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.intake import Also, PreparedEvent, Taken, record_each

ORIGIN: Final = "http"
TOGETHER: Final = 2_000
"""How many events go into one transaction."""
MOST_WAITING: Final = 20_000
"""How many events wait for a ledger that is slow before others are sent away."""


class _Waiting(NamedTuple):
    prepared: Sequence[PreparedEvent]
    refused: Sequence[Rejection]
    also: Also | None
    done: "asyncio.Future[list[Taken]]"


class Desk:
    """Takes events of requests in; whoever asked knows what became of each once it is committed, and not before."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._ledger, self._now = ledger, now
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._thread = ThreadPoolExecutor(1, "intake")
        self._writing: asyncio.Task[None] | None = None

    async def take_in(
        self, prepared: Sequence[PreparedEvent], refused: Sequence[Rejection], also: Also | None = None
    ) -> list[Taken]:
        """What became of each prepared event.

        Raises:
            LedgerFaultError: the ledger fails, or is too slow for all who wait; nothing is taken then.
        """
        size = len(prepared) + len(refused)
        if self._count and self._count + size > MOST_WAITING:
            raise LedgerFaultError(f"{self._count:,} events wait for the ledger already")
        done: asyncio.Future[list[Taken]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(prepared, refused, also, done))
        self._count += size
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await asyncio.shield(done)

    async def close(self) -> None:
        """Wait for what has been asked for."""
        while self._writing is not None:
            await asyncio.wait([self._writing])
        self._thread.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                some = self._next()
                try:
                    taken = await loop.run_in_executor(self._thread, self._record, some)
                except Exception as error:  # noqa: BLE001 - raised where each was asked for
                    for one in some:
                        _fail(one.done, error)
                else:
                    _tell(some, taken)
        finally:
            self._writing = None

    def _record(self, some: Sequence[_Waiting]) -> list[Taken]:
        events = [event for one in some for event in one.prepared]
        refused = [rejection for one in some for rejection in one.refused]
        also = [one.also for one in some if one.also is not None]
        return record_each(self._ledger, ORIGIN, events, refused, self._now(), also)

    def _next(self) -> list[_Waiting]:
        """The first that wait, as many as fit, and at least one."""
        count = size = 0
        for one in self._waiting:
            size += len(one.prepared) + len(one.refused)
            if count and size > TOGETHER:
                break
            count += 1
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        self._count -= sum(len(one.prepared) + len(one.refused) for one in some)
        return some


def _tell(some: Sequence[_Waiting], taken: Sequence[Taken]) -> None:
    start = 0
    for one in some:
        end = start + len(one.prepared)
        if not one.done.done():
            one.done.set_result(list(taken[start:end]))
        start = end


def _fail(done: "asyncio.Future[list[Taken]]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
