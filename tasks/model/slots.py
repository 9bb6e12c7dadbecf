"""The requests in flight of this process: never more than are allowed at the moment, the urgent first."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Final

_REMEMBERED: Final = 200
MARGIN: Final = 1.5
UNKNOWN_S: Final = 30.0
"""How long a request is taken to last where none has ended yet."""


class NoSlotsError(Exception):
    """There are none for anybody for now; the message says why."""


class Hold:
    """A slot that a request has."""

    is_asked = False
    """True while the provider has the request."""


class Slots:
    """As a semaphore whose size changes while it is in use; belongs to one event loop.

    Fewer allowed takes nothing from those in flight: nobody begins until enough have ended.
    """

    def __init__(self, allowed: int, short: asyncio.Event | None = None) -> None:
        self._allowed = allowed
        self._in_flight = 0
        self._arrivals = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._closed: str | None = None
        self.short = short or asyncio.Event()
        """Set by whoever has to wait; whoever provides slots clears it."""
        self._lasted: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._began: dict[Hold, float] = {}

    @property
    def allowed(self) -> int:
        """How many may be in flight now."""
        return self._allowed

    @property
    def is_closed(self) -> bool:
        """True while whoever comes is turned away."""
        return self._closed is not None

    @property
    def in_flight(self) -> int:
        """How many are."""
        return self._in_flight

    @property
    def wanted(self) -> int:
        """How many would be, if they were allowed: those in flight and those that wait."""
        return self._in_flight + sum(not turn.done() for _, _, turn in self._waiting)

    @property
    def longest(self) -> timedelta:
        """The longest time that one of the last slots was taken, or is by now."""
        oldest = next(iter(self._began.values()), None)
        lasting = 0.0 if oldest is None else time.monotonic() - oldest
        return timedelta(seconds=max(lasting, *self._lasted))

    def allow(self, allowed: int) -> None:
        """From now on so many; those that wait begin as far as there is room."""
        self._allowed, self._closed = allowed, None
        self._go_on()

    def lower(self, allowed: int) -> None:
        """From now on no more than so many; closed, they stay so."""
        self._allowed = min(self._allowed, allowed)

    def close(self, why: str) -> None:
        """None from now on: who waits, or comes, is told why and waits no longer."""
        self._allowed, self._closed = 0, why
        waiting, self._waiting = self._waiting, []
        for _, _, turn in waiting:
            if not turn.done():
                turn.set_exception(NoSlotsError(why))

    @asynccontextmanager
    async def taken(self, rank: int = 0) -> AsyncIterator[Hold]:
        """A slot for the time of the block. Of those that wait the highest rank is first, then who came first.

        A request that is broken off while the provider has it is in flight there still: its slot stays taken for as
        long as others have lasted.

        Raises:
            NoSlotsError: slots are closed, or were while this one waited.
        """
        await self._turn(rank)
        hold = Hold()
        self._began[hold] = time.monotonic()
        try:
            yield hold
        finally:
            lasted = time.monotonic() - self._began.pop(hold)
            if hold.is_asked:
                asyncio.get_running_loop().call_later(self._still_with_provider_s(lasted), self._give_back)
            else:
                self._lasted.append(lasted)
                self._give_back()

    def _still_with_provider_s(self, lasted: float) -> float:
        """How long a request that has lasted so long is answered yet, as far as one knows."""
        longest = max(self._lasted)
        return max(0.0, (MARGIN * longest if longest else UNKNOWN_S) - lasted)

    async def _turn(self, rank: int) -> None:
        if self._closed is not None:
            raise NoSlotsError(self._closed)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (-rank, next(self._arrivals), turn))
        self._go_on()
        if not turn.done():
            self.short.set()
        try:
            await turn
        except asyncio.CancelledError:
            # Given and cancelled in the same moment: others wait for it.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give_back()
            raise

    def _give_back(self) -> None:
        self._in_flight -= 1
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._in_flight < self._allowed:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)
