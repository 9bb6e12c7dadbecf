"""The tokens a minute of one model in this process: bought ahead, spent by requests, the urgent first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count

from tasks.model.slots import NoSlotsError


class TokenPurse:
    """What is left of the tokens bought; belongs to one event loop.

    A request pays what it is expected to use before it leaves, and settles the difference when it is answered: what
    it used beyond that is a debt, which the next purchase pays first.
    """

    def __init__(self, short: asyncio.Event) -> None:
        self._left = 0
        self._arrivals = count()
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._closed: str | None = None
        self._most: int | None = None
        self.short = short

    @property
    def left(self) -> int:
        """What is bought and not spent; below nothing where more was used than expected."""
        return self._left

    @property
    def missing(self) -> int:
        """How many more would let all begin that wait, and pay what is owed."""
        return max(0, sum(need for _, _, need, turn in self._waiting if not turn.done()) - self._left)

    def open(self, most: int) -> None:
        """There is a cap of `most` tokens; a request that needs more counts as that many, or it would never begin."""
        self._most, self._closed = most, None

    def close(self, why: str) -> None:
        """None from now on: who waits, or comes, is told why."""
        self._closed = why
        waiting, self._waiting = self._waiting, []
        for _, _, _, turn in waiting:
            if not turn.done():
                turn.set_exception(NoSlotsError(why))

    def add(self, tokens: int) -> None:
        """So many were bought, or come back; those that wait begin as far as they reach."""
        self._left += tokens
        while self._waiting:
            _, _, need, turn = self._waiting[0]
            if not turn.done():
                if need > self._left:
                    return
                self._left -= need
                turn.set_result(None)
            heappop(self._waiting)

    @asynccontextmanager
    async def spent(self, expected: int, rank: int = 0) -> AsyncIterator["Bill"]:
        """Pay `expected` tokens, and at the end of the block what the bill says instead.

        Raises:
            NoSlotsError: the cap was taken away.
        """
        need = min(expected, self._most or expected)
        await self._paid(need, rank)
        bill = Bill(need)
        try:
            yield bill
        finally:
            self.add(need - bill.tokens)

    async def _paid(self, need: int, rank: int) -> None:
        if self._closed is not None:
            raise NoSlotsError(self._closed)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (-rank, next(self._arrivals), need, turn))
        self.add(0)
        if not turn.done():
            self.short.set()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.add(need)
            raise


class Bill:
    """What a request has used: what was expected, until somebody knows better."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
