"""The bank of slots against a real Prefect server: fair, never beyond the limit, and nothing without one."""

import asyncio
import sys
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.bank import SlotBank, Terms
from flows.slot_leases import SHORTEST as LEASE
from flows.slot_leases import SlotLeases, blocks, given_back
from ledger.slots import SlotLease, note_slot_lease, slot_leases_of
from tasks.model.slots import NoSlotsError, Slots
from tasks.processes import process_name
from tasks.runtime import current_runtime

NUMBERS = count(1)
REQUEST = timedelta(seconds=60)


@given(st.integers(0, 200))
def test_blocks_make_up_a_number_and_every_smaller_one(number):
    """Any part of what is held can be given back without asking for another first, however many were granted."""
    sizes = list(blocks(number))
    assert sum(sizes) == number
    reached = {0}
    for granted, size in enumerate(sizes, 1):
        reached |= {size + one for one in reached}
        assert reached == set(range(sum(sizes[:granted]) + 1))


@given(st.lists(st.integers(1, 9), max_size=7), st.integers(-3, 40))
def test_no_more_is_given_back_than_is_too_much(sizes, surplus):
    """And as much as one lease more would be too much."""
    leases = [SlotLease(str(n), "x", "a", "h:1", size, 1.0, None) for n, size in enumerate(sizes)]
    gone = given_back(leases, surplus)
    total = sum(lease.slots for lease in gone)
    assert total <= max(0, surplus)
    kept = [lease.slots for lease in leases if lease not in gone]
    assert all(total + size > surplus for size in kept)


@dataclass
class Process:
    """A process as far as the bank goes: its slots, and requests that take them."""

    bank: SlotBank
    slots: Slots
    limit: "Limit"
    requests: list

    async def look(self):
        """As its provider does: at the limit, and at the bank."""
        limit = await self.limit.now()
        if limit is None:
            await self.bank.close("it is gone")
        else:
            await self.bank.look(limit)

    async def wants(self, requests):
        """So many more requests, which take as long as they are let."""
        for _ in range(requests):
            end = asyncio.Event()
            self.requests.append((asyncio.create_task(self._request(end)), end))
        await asyncio.sleep(0)

    async def _request(self, end):
        async with self.slots.taken():
            await end.wait()

    async def ends(self, requests):
        """So many of those in flight are answered."""
        for task, end in self.requests[:requests]:
            end.set()
            await task
        del self.requests[:requests]


@dataclass
class Limit:
    """A limit of the test's own, as an operator has it in the UI."""

    name: str
    client: object

    async def set_to(self, slots):
        """So many, or none at all."""
        if slots is None:
            await self.client.delete_global_concurrency_limit_by_name(self.name)
        else:
            await self.client.upsert_global_concurrency_limit_by_name(self.name, slots)

    async def now(self):
        """As the server has it; None where it has none."""
        try:
            return await self.client.read_global_concurrency_limit_by_name(self.name)
        except ObjectNotFound:
            return None

    async def taken(self):
        """As the server counts."""
        return (await self.now()).active_slots


@pytest.fixture
def played(world, prefect_home):
    """Plays a story with processes at one limit."""
    assert prefect_home.exists()

    def play(story, slots=8):
        async def within():
            async with get_client() as client:
                limit = Limit(f"test-slots-{next(NUMBERS)}", client)
                await limit.set_to(slots)
                processes = []

                def process(name, most=100):
                    run = replace(current_runtime(), owner=name)
                    own = Slots(0)
                    bank = SlotBank(run, client, own, Terms(limit.name, most, REQUEST))
                    processes.append(Process(bank, own, limit, []))
                    return processes[-1]

                try:
                    await story(limit, process)
                finally:
                    for one in processes:
                        for task, _ in one.requests:
                            task.cancel()

        world.run(within)

    return play


async def looks(*processes, times=3):
    """Each looks in turn, as time would have it."""
    for _ in range(times):
        for one in processes:
            await one.look()
            await asyncio.sleep(0)


def test_a_process_alone_gets_what_it_wants_up_to_the_limit_and_its_own_most(played):
    """As the server counts it, and no request more begins."""

    async def story(limit, process):
        alone, modest = process("alone"), process("modest", most=2)
        await alone.wants(5)
        await looks(alone)
        assert (alone.slots.in_flight, await limit.taken()) == (5, 5)
        await alone.wants(20)
        await looks(alone)
        assert (alone.slots.in_flight, await limit.taken()) == (8, 8)
        await alone.ends(25)
        await looks(alone)
        await modest.wants(20)
        await looks(modest)
        assert (modest.slots.in_flight, await limit.taken()) == (2, 2)

    played(story)


def test_processes_share_fairly_and_are_never_beyond_the_limit_together(played):
    """Who came first gives up what is too much as its requests end; the server never counts more than there are."""

    async def story(limit, process):
        first, second = process("first"), process("second")
        await first.wants(20)
        await looks(first)
        assert first.slots.in_flight == 8
        await second.wants(20)
        await looks(first, second)
        # Nothing is taken from a request in flight.
        assert (first.slots.in_flight, second.slots.in_flight) == (8, 0)
        for _ in range(4):
            await first.ends(1)
            await looks(first, second, times=1)
            assert first.slots.in_flight + second.slots.in_flight <= 8
        await looks(first, second)
        assert (first.slots.in_flight, second.slots.in_flight) == (4, 4)
        await first.ends(16)
        await looks(first, second)
        assert (first.slots.in_flight, second.slots.in_flight) == (0, 8)
        assert await limit.taken() == 8

    played(story)


def test_a_block_that_is_larger_than_what_is_too_much_goes_all_the_same(played):
    """It came alone, its smaller neighbours were taken; half of it is the other's, who gets it."""

    async def story(limit, process):
        first, second = process("first"), process("second")
        await first.bank._leases._take_block(8, 1.0)
        await first.wants(20)
        await looks(first)
        await second.wants(20)
        await looks(second, first)
        assert (first.slots.in_flight, second.slots.in_flight) == (8, 0)
        await first.ends(8)
        await looks(first, second)
        assert (first.slots.in_flight, second.slots.in_flight) == (4, 4)
        assert await limit.taken() == 8

    played(story)


def test_a_limit_that_is_changed_is_in_force_with_the_next_look_and_none_stops_everything(played):
    """Lower, higher, switched off, deleted and back."""

    async def story(limit, process):
        one = process("one")
        await one.wants(40)
        await looks(one)
        await limit.set_to(3)
        await looks(one)
        assert one.slots.allowed == 3
        await one.ends(6)
        await looks(one)
        assert (one.slots.in_flight, await limit.taken()) == (3, 3)
        await limit.set_to(6)
        await looks(one)
        assert one.slots.in_flight == 6
        await limit.set_to(None)
        await looks(one)
        assert one.slots.allowed == 0
        waiting = [task for task, _ in one.requests[6:]]
        assert {type(task.exception()) for task in waiting} == {NoSlotsError}
        del one.requests[6:]
        await one.ends(6)
        assert one.slots.in_flight == 0
        await limit.set_to(2)
        await looks(one)
        await one.wants(5)
        await looks(one)
        assert one.slots.in_flight == 2

    played(story)


def test_what_a_dead_process_held_is_free_for_the_others_once_its_requests_must_be_over(played):
    """The model may still be at work on them until then; the end of its lease is minutes away."""

    async def story(limit, process):
        gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        await gone.wait()
        dead, alive = process("dead"), process("alive")
        await dead.wants(8)
        await looks(dead)
        run = current_runtime()
        name = process_name().rpartition(":")[0]
        for lease in slot_leases_of(run.ledger, limit.name):
            note_slot_lease(run.ledger, replace(lease, process=f"{name}:{gone.pid}", request_s=1.0))
        await alive.wants(8)
        began = time.monotonic()
        await looks(alive)
        assert (alive.slots.in_flight, await limit.taken()) == (0, 8)
        while not alive.slots.in_flight:
            await looks(alive)
        assert time.monotonic() - began >= 1.0
        assert (alive.slots.in_flight, await limit.taken()) == (8, 8)

    played(story)


def test_without_a_server_requests_begin_only_as_long_as_the_leases_outlast_them(played):
    """What the server may give to others before they are answered does not begin."""

    async def story(_, process):
        one = process("one")
        await one.wants(10)
        await looks(one)
        clock = current_runtime().clock
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            async with get_client() as nobody:
                limit = await one.limit.now()
                one.bank._leases._client = nobody
                clock.advance(seconds=LEASE.total_seconds() / 2)
                with pytest.raises(httpx.HTTPError):
                    await one.bank.look(limit)
                assert one.slots.allowed == 8
                clock.advance(seconds=(LEASE / 2 - REQUEST).total_seconds() + 1)
                with pytest.raises(httpx.HTTPError):
                    await one.bank.look(limit)
                assert one.slots.allowed == 0

    played(story)


def test_who_leaves_gives_everything_back(played):
    """The others have it with their next look."""

    async def story(limit, process):
        one, other = process("one"), process("other")
        await one.wants(8)
        await looks(one)
        await one.ends(8)
        await one.bank.close("the work is done")
        assert await limit.taken() == 0
        await other.wants(8)
        await looks(other)
        assert other.slots.in_flight == 8

    played(story)


def test_who_ends_while_slots_are_taken_or_given_back_leaves_none_taken(world):
    """Wherever it is cancelled: what was granted by then is given back, and nobody waits for the end of a lease."""

    async def story():
        async with get_client() as client:
            name = f"cancelled-{next(NUMBERS)}"
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=100))
            for step in range(12):
                leases = SlotLeases(current_runtime(), client, name)
                await _cancelled_after(0.004 * step, leases.take(4, 1.0, taken=lambda: None))
                await _cancelled_after(0.004 * (12 - step), leases.give_back(leases.total))
                await leases.give_back(leases.total)
            limit = await client.read_global_concurrency_limit_by_name(name)
            assert limit.active_slots == 0
            assert await current_runtime().in_ledger(slot_leases_of, name) == ()

    world.run(story)


async def _cancelled_after(seconds, work):
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])
