"""The bank of a process for one cap: how many slots it holds, by what it needs and what is fair."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log
from typing import Final

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse

from flows.slot_leases import SlotLeases
from ledger.slots import forget_wish, wish_for_slots
from tasks.model.shares import fair_shares
from tasks.model.slots import Slots
from tasks.runtime import Runtime

WISH: Final = timedelta(seconds=10)
REMEMBERED: Final = timedelta(seconds=3)
"""How long a process keeps slots that it does not need at the moment, where nobody else does."""
MARGIN: Final = 1.5
STEP: Final = 1.25
LEAST_S: Final = 0.25
UNKNOWN_REQUEST: Final = timedelta(seconds=30)
"""How long a request is taken to last at most where none has ended yet."""


@dataclass(frozen=True)
class Terms:
    """What a bank goes by: the limit's name, the most that this process may use, how long a request may take."""

    limit: str
    most: int
    longest_request: timedelta


class SlotBank:
    """Keeps `slots.allowed` at what this process's leases cover. `look` is to be called every now and then."""

    def __init__(self, run: Runtime, client: PrefectClient, slots: Slots, terms: Terms) -> None:
        self._run, self._slots, self._terms = run, slots, terms
        # Twice as long as a request may take: one that begins late in a lease still ends within it.
        self._leases = SlotLeases(run, client, terms.limit, 2 * terms.longest_request)
        self._peak, self._peak_at = 0, run.clock()
        self._is_alone = True
        self.is_scarce = False
        """True where all together want more than there is: looking again at once would bring nothing."""
        self.is_closed = False
        """True where nothing begins, whatever is wanted."""

    @property
    def is_idle(self) -> bool:
        """True where nothing is held and nothing wanted."""
        return not self._leases.total and not self._slots.wanted

    async def look(self, limit: GlobalConcurrencyLimitResponse) -> None:
        """Bring what is held to this process's share of `limit`.

        Raises:
            httpx.HTTPError: what is held by then is used as long as its leases last.
        """
        self.is_closed = False
        try:
            share = await self._share(limit.limit)
            await self._leases.free_the_dead()
            await self._leases.renew(self._request_s)
            await self._leases.note_length(self._request_s)
            await self._give_back(share)
            room = await self._room(share)

            def allow() -> None:
                self._slots.allow(min(room, self._lasting))

            missing = share - self._leases.total
            await self._leases.take(missing, self._request_s, taken=allow, largest_first=self._is_alone)
            allow()
        except httpx.HTTPError:
            self.use_what_lasts()
            raise

    def use_what_lasts(self) -> None:
        """Nothing begins from now on under a lease that may end before it does."""
        self._slots.lower(self._lasting)

    async def close(self, why: str, *, keeps: bool = False) -> None:
        """Nothing begins until the next look, who waits is told why, and what no request uses is given back.

        Of a limit that is switched off Prefect's server takes nothing back, and would count it for ever after:
        what is held of one is kept.
        """
        self.is_closed = True
        self._slots.close(why)
        await self._run.in_ledger(forget_wish, self._terms.limit, self._run.owner)
        if keeps:
            await self._leases.renew(self._request_s)
        else:
            await self._give_back(0)

    @property
    def next_s(self) -> float:
        """In how many seconds there are slots of the dead to be had; infinity where there are none."""
        return self._leases.dead_over_s

    async def leave(self) -> None:
        """The end: what is held by then for requests that were broken off is nobody's."""
        await self._leases.leave()

    @property
    def _lasting(self) -> int:
        return self._leases.lasting(self._terms.longest_request)

    async def _share(self, limit: int) -> int:
        """This process's fair part of the limit as it is now."""
        now = self._run.clock()
        wanted = self._wanted(now)
        wishes = await self._run.in_ledger(
            wish_for_slots, self._terms.limit, self._run.owner, wanted, until=now + WISH, now=now
        )
        self.is_scarce, self._is_alone = sum(wishes.values()) > limit, len(wishes) == 1
        return fair_shares(limit, wishes)[self._run.owner]

    def _wanted(self, now: datetime) -> int:
        """What is wanted, or was a moment ago where there is enough: who pauses for breath gives nothing back."""
        wanted = min(self._slots.wanted, self._terms.most)
        if wanted >= self._peak or self.is_scarce or not timedelta() <= now - self._peak_at < REMEMBERED:
            self._peak, self._peak_at = wanted, now
        return self._peak

    async def _give_back(self, share: int) -> None:
        """What is beyond the share and no request uses; nothing begins beyond it meanwhile."""
        self._slots.lower(share)
        await self._leases.give_back(self._leases.total - max(share, self._slots.in_flight))

    async def _room(self, share: int) -> int:
        """How many may be in flight: the share, or for a moment fewer, where a block too large for it has to go.

        That is one whose smaller neighbours were not to be had when it was taken. It is given back once no request
        needs it, and what it has too little is taken anew.
        """
        block = self._leases.too_large_for(self._leases.total - share)
        if block is None or not self.is_scarce:
            return share
        rest = self._leases.total - block.slots
        self._slots.lower(rest)
        if self._slots.in_flight > rest:
            return rest
        await self._leases.end(block)
        return share

    @property
    def _request_s(self) -> float:
        """How long this process's requests take at most, as far as it knows, and half as long again."""
        seen = self._slots.longest
        if not seen:
            return min(UNKNOWN_REQUEST, self._terms.longest_request).total_seconds()
        # In steps, so that there is something to note now and then and not at every look.
        steps = ceil(log(MARGIN * seen.total_seconds(), STEP))
        return min(max(LEAST_S, STEP**steps), self._terms.longest_request.total_seconds())
