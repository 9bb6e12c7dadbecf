"""A process's leases on slots of a global concurrency limit: taken in blocks, renewed, given back.

Prefect's server counts the slots. Beside each lease the ledger has whose it is, so that the slots of a process that
died do not wait for the end of its leases.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Final
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import ConcurrencyLimitWithLeaseResponse

from ledger.slots import SlotLease, forget_slot_lease, forget_wish, note_slot_lease, slot_leases_of
from tasks.processes import has_died, nobody, process_identity
from tasks.runtime import Runtime
from tasks.uninterrupted import uninterrupted

SHORTEST: Final = timedelta(seconds=300)
RENEWED_AFTER: Final = timedelta(seconds=40)
NOT_NOW: Final = frozenset({422, 423})
"""What the server says where there are no such slots, or there were a moment ago."""
GONE: Final = frozenset({404, 410})


def blocks(count: int) -> Iterator[int]:
    """Sizes that make up `count` and every smaller number too, the small ones first: 12 is 1, 1, 1, 3, 6.

    So any part can be given back without asking for another first, also where not all of them were to be had.
    """
    if count > 0:
        largest = max(1, count // 2)
        yield from blocks(count - largest)
        yield largest


def given_back(leases: Sequence[SlotLease], surplus: int) -> list[SlotLease]:
    """Leases that together have no more slots than `surplus`, the largest that fit first."""
    chosen = []
    for lease in sorted(leases, key=lambda one: -one.slots):
        if lease.slots <= surplus:
            chosen.append(lease)
            surplus -= lease.slots
    return chosen


class SlotLeases:
    """What this process holds of one limit. Errors of HTTP are raised; what is held by then stays held."""

    def __init__(self, run: Runtime, client: PrefectClient, limit: str, lease: timedelta = SHORTEST) -> None:
        self._run, self._client, self._limit = run, client, limit
        self._lease = max(lease, SHORTEST)
        self._held: dict[str, SlotLease] = {}
        self._dead_over: dict[str, float] = {}

    @property
    def total(self) -> int:
        """Slots held."""
        return sum(lease.slots for lease in self._held.values())

    def lasting(self, longest: timedelta) -> int:
        """Slots whose lease outlasts a request that begins now and takes that long."""
        ends = self._run.clock() + longest
        return sum(lease.slots for lease in self._held.values() if lease.until > ends)

    async def give_back(self, surplus: int) -> None:
        """Give back so many at most, whole blocks."""
        for lease in given_back(tuple(self._held.values()), surplus):
            await uninterrupted(self._end(lease))

    def too_large_for(self, surplus: int) -> SlotLease | None:
        """The lease that stands in the way of giving back so many, or None where the blocks make up the number."""
        held = tuple(self._held.values())
        fitting = given_back(held, surplus)
        left = surplus - sum(lease.slots for lease in fitting)
        larger = (lease for lease in held if lease.slots > left and lease not in fitting)
        return min(larger, key=lambda lease: lease.slots, default=None) if left > 0 else None

    async def end(self, lease: SlotLease) -> None:
        """Give this one back whole."""
        await uninterrupted(self._end(lease))

    async def leave(self) -> None:
        """Leave what requests that were broken off still need: as of the dead, others free it in time."""
        held, self._held = self._held, {}
        for lease in held.values():
            await self._run.in_ledger(note_slot_lease, replace(lease, process=nobody()))

    async def take(
        self, missing: int, request_s: float, taken: Callable[[], None], *, largest_first: bool = False
    ) -> None:
        """Lease so many at most; what others have not given back yet is to be asked for again.

        `request_s` is how long the requests take at most that leave under the lease, `taken` is told of each block.
        Where nobody else wants any, `largest_first` has the most of them soonest.
        """
        for size in sorted(blocks(missing), reverse=largest_first):
            await uninterrupted(self._take_block(size, request_s))
            taken()

    async def renew(self, request_s: float) -> None:
        """Longer leases, well before they end; one that the server has forgotten is over at once."""
        now = self._run.clock()
        for lease in tuple(self._held.values()):
            if lease.until - now < self._lease - RENEWED_AFTER:
                try:
                    await self._client.renew_concurrency_lease(UUID(lease.id), self._lease.total_seconds())
                except httpx.HTTPStatusError as error:
                    if error.response.status_code not in GONE:
                        raise
                    del self._held[lease.id]
                    await self._run.in_ledger(forget_slot_lease, lease.id)
                else:
                    longer = replace(lease, until=now + self._lease, request_s=request_s)
                    self._held[lease.id] = longer
                    await self._run.in_ledger(note_slot_lease, longer)

    async def note_length(self, request_s: float) -> None:
        """Keep how long requests take at most, as it is known by now: others wait so long for the slots of the dead."""
        for lease in tuple(self._held.values()):
            if lease.request_s != request_s:
                self._held[lease.id] = replace(lease, request_s=request_s)
                await self._run.in_ledger(note_slot_lease, self._held[lease.id])

    @property
    def dead_over_s(self) -> float:
        """In how many seconds requests of the dead must be over that are waited for; infinity where none are."""
        left = [over - time.monotonic() for over in self._dead_over.values()]
        return min((one for one in left if one > 0), default=inf)

    async def free_the_dead(self) -> None:
        """Give back what processes hold that have died, once nothing of theirs can be in flight any more."""
        now = self._run.clock()
        for lease in await self._run.in_ledger(slot_leases_of, self._limit):
            if lease.until <= now:
                await self._run.in_ledger(forget_slot_lease, lease.id)
            elif lease.id not in self._held and has_died(lease.process):
                if lease.owner not in self._dead_over:
                    await self._run.in_ledger(forget_wish, self._limit, lease.owner)
                # No clock that may be set: how long requests last is a matter of seconds that pass.
                over = self._dead_over.setdefault(lease.owner, time.monotonic() + lease.request_s)
                if time.monotonic() >= over:
                    await uninterrupted(self._end(lease))

    async def _take_block(self, size: int, request_s: float) -> None:
        try:
            answer = await self._client.increment_concurrency_slots_with_lease(
                [self._limit], size, "concurrency", self._lease.total_seconds()
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code in NOT_NOW:
                return
            raise
        granted = ConcurrencyLimitWithLeaseResponse.model_validate(answer.json())
        # Of a limit that is gone the server leases nothing, under an id all the same.
        if granted.limits:
            await self._note(str(granted.lease_id), size, request_s)

    async def _note(self, lease_id: str, slots: int, request_s: float) -> None:
        until = self._run.clock() + self._lease
        lease = SlotLease(lease_id, self._limit, self._run.owner, process_identity(), slots, request_s, until)
        self._held[lease_id] = lease
        await self._run.in_ledger(note_slot_lease, lease)

    async def _end(self, lease: SlotLease) -> None:
        """Give the lease back, once: who takes it out of the ledger is the one who does."""
        self._held.pop(lease.id, None)
        if not await self._run.in_ledger(forget_slot_lease, lease.id):
            return
        try:
            await self._client.release_concurrency_slots_with_lease(UUID(lease.id))
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in GONE:
                raise
