"""The bank of a process: slots of a global concurrency limit, leased in blocks, shared by all that runs here.

Prefect's server counts what all processes hold. A process asks it when its share changes, not when it calls.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import ConcurrencyLimitWithLeaseResponse
from prefect.exceptions import ObjectNotFound

from ledger.slots import (
    SlotLease,
    forget_slot_lease,
    forget_wishes,
    note_slot_lease,
    slot_leases_of,
    wish_for_slots,
)
from tasks.model.shares import fair_shares
from tasks.model.slots import Slots
from tasks.runtime import Runtime

LEASE: Final = timedelta(seconds=300)
RENEWED_WHEN_LEFT: Final = timedelta(seconds=260)
WISH: Final = timedelta(seconds=10)
LOCKED: Final = 423
GONE: Final = frozenset({404, 410})


def process_name() -> str:
    """`host:pid` of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_died(process: str) -> bool:
    """True where a process was on this host and is no more; of other hosts nobody here can tell."""
    host, _, pid = process.rpartition(":")
    return host == socket.gethostname() and not psutil.pid_exists(int(pid))


def blocks(count: int) -> Iterator[int]:
    """Sizes that make up `count` and every smaller number too: 12 is 6, 3, 1, 1, 1.

    So any part can be given back without asking for another first.
    """
    while count > 0:
        yield (size := max(1, count // 2))
        count -= size


def given_back(leases: Sequence[SlotLease], surplus: int) -> list[SlotLease]:
    """Leases that together have no more slots than `surplus`, the largest that fit first."""
    chosen = []
    for lease in sorted(leases, key=lambda one: -one.slots):
        if lease.slots <= surplus:
            chosen.append(lease)
            surplus -= lease.slots
    return chosen


@dataclass(frozen=True)
class Terms:
    """What a bank goes by: the limit's name, the most that this process may use, how long a request may take."""

    limit: str
    most: int
    longest_request: timedelta


class SlotBank:
    """Keeps `slots.allowed` at what this process's leases cover. `look` is to be called every now and then."""

    def __init__(self, run: Runtime, client: PrefectClient, slots: Slots, terms: Terms) -> None:
        self._run, self._client, self._slots, self._terms = run, client, slots, terms
        self._leases: dict[str, SlotLease] = {}
        self._dead_since: dict[str, datetime] = {}

    @property
    def held(self) -> int:
        """Slots that a request may still begin under: their lease outlasts the longest request."""
        ends = self._run.clock() + self._terms.longest_request
        return sum(lease.slots for lease in self._leases.values() if lease.until > ends)

    async def look(self) -> None:
        """Bring what is held to this process's share. An error of HTTP leaves what is held until its end."""
        try:
            share = await self._share()
            await self._free_the_dead()
            await self._renew()
            await self._give_back(share)
            await self._take(share - sum(lease.slots for lease in self._leases.values()))
            self._slots.allow(min(share, self.held))
        except httpx.HTTPError:
            self._slots.allow(min(self._slots.allowed, self.held))
            raise

    async def close(self) -> None:
        """Give everything back; no request may be in flight."""
        self._slots.allow(0)
        await self._run.in_ledger(forget_wishes, self._run.owner)
        for lease in tuple(self._leases.values()):
            await self._end(lease)

    async def _share(self) -> int:
        """This process's fair part of the limit as it is now; none of a limit that is gone or switched off."""
        now = self._run.clock()
        wanted = min(self._slots.wanted, self._terms.most)
        wishes = await self._run.in_ledger(
            wish_for_slots, self._terms.limit, self._run.owner, wanted, until=now + WISH, now=now
        )
        try:
            limit = await self._client.read_global_concurrency_limit_by_name(self._terms.limit)
        except ObjectNotFound:
            return 0
        return fair_shares(limit.limit if limit.active else 0, wishes)[self._run.owner]

    async def _give_back(self, share: int) -> None:
        """What is beyond the share and no request uses; nothing begins beyond it meanwhile."""
        self._slots.allow(min(self._slots.allowed, share))
        surplus = sum(lease.slots for lease in self._leases.values()) - max(share, self._slots.in_flight)
        for lease in given_back(tuple(self._leases.values()), surplus):
            await self._end(lease)

    async def _take(self, missing: int) -> None:
        """Lease what is missing, in blocks; what others have not given back yet is asked for at the next look."""
        for size in blocks(missing):
            try:
                answer = await self._client.increment_concurrency_slots_with_lease(
                    [self._terms.limit], size, "concurrency", LEASE.total_seconds()
                )
            except httpx.HTTPStatusError as error:
                if error.response.status_code == LOCKED:
                    continue
                raise
            granted = ConcurrencyLimitWithLeaseResponse.model_validate(answer.json())
            if granted.limits:
                await self._note(str(granted.lease_id), size)

    async def _note(self, lease_id: str, slots: int) -> None:
        until = self._run.clock() + LEASE
        lease = SlotLease(lease_id, self._terms.limit, self._run.owner, process_name(), slots, until)
        self._leases[lease_id] = lease
        await self._run.in_ledger(note_slot_lease, lease)

    async def _renew(self) -> None:
        """Longer leases, well before they end; one that the server has forgotten is over at once."""
        now = self._run.clock()
        for lease in tuple(self._leases.values()):
            if lease.until - now < RENEWED_WHEN_LEFT:
                try:
                    await self._client.renew_concurrency_lease(UUID(lease.id), LEASE.total_seconds())
                except httpx.HTTPStatusError as error:
                    if error.response.status_code not in GONE:
                        raise
                    del self._leases[lease.id]
                    await self._run.in_ledger(forget_slot_lease, lease.id)
                else:
                    self._leases[lease.id] = longer = replace(lease, until=now + LEASE)
                    await self._run.in_ledger(note_slot_lease, longer)

    async def _free_the_dead(self) -> None:
        """Give back what processes hold that have died, once nothing of theirs can be in flight any more."""
        now = self._run.clock()
        for lease in await self._run.in_ledger(slot_leases_of, self._terms.limit):
            if lease.until <= now:
                await self._run.in_ledger(forget_slot_lease, lease.id)
            elif lease.id not in self._leases and has_died(lease.process):
                since = self._dead_since.setdefault(lease.process, now)
                if now - since >= self._slots.longest:
                    await self._end(lease)

    async def _end(self, lease: SlotLease) -> None:
        """Give the lease back, once: who takes it out of the ledger is the one who does."""
        self._leases.pop(lease.id, None)
        if await self._run.in_ledger(forget_slot_lease, lease.id):
            await self._client.release_concurrency_slots_with_lease(UUID(lease.id))
