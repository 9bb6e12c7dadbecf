"""A lane's place: others know by it that a level is being worked on, so that nobody starts another run for it."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from contracts.events import Priority
from ledger.errors import LedgerFaultError
from ledger.lanes import COMES_WITHIN, ask_for_another, enter_lane, leave_lane
from tasks.runtime import Runtime

HELD_FOR: Final = timedelta(seconds=15)
SAID_EVERY_S: Final = 4.0
BATCHES: Final = 500
"""So many a lane begins; then it makes room for another, which also lets retention come to its task runs and logs."""


class Place:
    """A lane's place while it works, and for a while after that."""

    def __init__(self, level: Priority | None, linger_s: float, run: Runtime) -> None:
        self.level = level
        self._levels = tuple(Priority) if level is None else (level,)
        self._linger_s, self._run = linger_s, run
        self._worked_at = time.monotonic()
        self._said_at = self._helped_at = float("-inf")
        self._begun = 0
        self._has_left = False

    @property
    def is_used_up(self) -> bool:
        """True where no batch more is to begin here. A lane of every level is somebody's own, and has no end."""
        return self.room <= 0

    @property
    def room(self) -> int:
        """How many batches more may begin here."""
        return sys.maxsize if self.level is None else BATCHES - self._begun

    async def worked(self, batches: int) -> None:
        """So many have begun. After the last one the place is another's, while what is in work comes to its end."""
        self._worked_at = time.monotonic()
        self._begun += batches
        if self.is_used_up:
            await self.abandon()

    async def stay(self) -> None:
        """Say that somebody is here, every few seconds."""
        if not self.is_used_up and time.monotonic() - self._said_at >= SAID_EVERY_S:
            self._said_at = time.monotonic()
            for level in self._levels:
                # Whoever dies here is missed when its batches are.
                until = self._run.clock() + min(HELD_FOR, self._run.settings.lease)
                await self._run.in_ledger(enter_lane, level, self._run.owner, until)

    async def left(self) -> bool:
        """True when there was nothing to do for long enough, and there still is not; or this is to end."""
        if self.is_used_up:
            return True
        if not self._run.stop.is_set() and time.monotonic() - self._worked_at < self._linger_s:
            return False
        self._has_left = all([await self._leave(level) for level in self._levels])
        return self._has_left

    async def full(self) -> None:
        """Say that more is ready than this lane has room for, every few seconds."""
        if self.level is not None and time.monotonic() - self._helped_at >= COMES_WITHIN.total_seconds():
            self._helped_at = time.monotonic()
            await self._run.in_ledger(ask_for_another, self.level, self._run.clock())

    async def _leave(self, level: Priority) -> bool:
        ends = self._run.stop.is_set()
        return await self._run.in_ledger(leave_lane, level, self._run.owner, whatever_waits=ends)

    async def abandon(self) -> None:
        """Leave, however much there is to do; once, for the place may be another's of this process by then."""
        if not self._has_left:
            self._has_left = True
            for level in self._levels:
                await self._run.in_ledger(leave_lane, level, self._run.owner, whatever_waits=True)


@asynccontextmanager
async def at_work(level: Priority | None, linger_s: float, run: Runtime) -> AsyncIterator[Place]:
    """A place for the time of the block."""
    place = Place(level, linger_s, run)
    await place.stay()
    try:
        yield place
    finally:
        # Where the ledger fails, the place is free again after `HELD_FOR`.
        with suppress(LedgerFaultError):
            await place.abandon()
