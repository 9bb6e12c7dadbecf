"""Slots whose number changes while they are in use: rules for every order of events."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from tasks.model.slots import Slots

STEPS = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("allow"), st.integers(0, 4)),
)


class Requests:
    """Requests that take slots, and what each of them is at."""

    def __init__(self, slots):
        self.slots = slots
        self.begun: list[tuple[int, int]] = []
        self.ends: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task] = []

    def take(self, rank):
        """One more request."""
        self.ends.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self._one(len(self.tasks), rank)))

    async def _one(self, number, rank):
        async with self.slots.taken(rank):
            self.begun.append((number, rank))
            await self.ends[number].wait()

    async def close(self):
        """Cancel all."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settled():
    """Everything that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


@given(st.integers(0, 4), st.lists(STEPS, max_size=30))
def test_there_are_never_more_in_flight_than_allowed_and_never_fewer_than_wanted(allowed, steps):
    """Whatever is taken, ended, cancelled or changed, and in which order; at the end nothing is lost."""

    async def play():
        slots = Slots(allowed)
        requests = Requests(slots)
        for step, value in steps:
            before = slots.in_flight
            if step == "take":
                requests.take(value)
            elif step == "allow":
                slots.allow(value)
            elif value < len(requests.tasks):
                requests.ends[value].set() if step == "end" else requests.tasks[value].cancel()
            assert slots.in_flight <= max(slots.allowed, before)
            await settled()
            assert slots.in_flight <= max(slots.allowed, before)
            assert slots.in_flight >= min(slots.allowed, slots.wanted)
        await requests.close()
        assert (slots.in_flight, slots.wanted) == (0, 0)

    asyncio.run(play())


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_the_urgent_go_first_and_among_equals_who_came_first(ranks):
    """One slot, given on from one to the next."""

    async def play():
        slots = Slots(0)
        requests = Requests(slots)
        for rank in ranks:
            requests.take(rank)
            await settled()
        for end in requests.ends:
            end.set()
        slots.allow(1)
        await asyncio.gather(*requests.tasks)
        return requests.begun

    begun = asyncio.run(play())
    assert begun == sorted(enumerate(ranks), key=lambda one: (-one[1], one[0]))


def test_closed_slots_tell_those_that_wait_and_those_that_come_why_and_open_again():
    """Nobody waits for what an operator has taken away; those in flight end as they would."""

    async def play():
        slots = Slots(1)
        requests = Requests(slots)
        for _ in range(3):
            requests.take(0)
        await settled()
        slots.close("the limit is gone")
        requests.take(0)
        await settled()
        assert [str(task.exception()) for task in requests.tasks[1:]] == ["the limit is gone"] * 3
        assert slots.in_flight == 1
        slots.allow(2)
        requests.take(0)
        await settled()
        assert slots.in_flight == 2
        await requests.close()
        assert slots.in_flight == 0

    asyncio.run(play())


def test_who_provides_slots_hears_of_whoever_has_to_wait():
    """And of nobody else."""

    async def play():
        slots = Slots(1)
        requests = Requests(slots)
        requests.take(0)
        await settled()
        assert not slots.short.is_set()
        requests.take(0)
        await settled()
        assert slots.short.is_set()
        await requests.close()

    asyncio.run(play())


def test_a_slot_that_is_given_to_a_request_in_the_moment_of_its_cancelling_goes_on_to_the_next():
    """It would be lost for as long as the process lives."""

    async def play():
        slots = Slots(1)
        requests = Requests(slots)
        for _ in range(3):
            requests.take(0)
        await settled()
        requests.ends[0].set()
        await asyncio.sleep(0)
        requests.tasks[1].cancel()
        await settled()
        assert [number for number, _ in requests.begun] in ([0, 2], [0, 1, 2])
        await requests.close()
        assert slots.in_flight == 0

    asyncio.run(play())


def test_a_request_that_still_lasts_counts_among_the_longest(monkeypatch):
    """Who knows only those that have ended gives a dead process's slots away while its requests are under way."""
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    seconds = []

    async def scenario():
        nonlocal now
        slots = Slots(2)
        async with slots.taken():
            now += 40
            async with slots.taken():
                now += 2
            seconds.append(slots.longest.total_seconds())
        now += 100
        seconds.append(slots.longest.total_seconds())

    asyncio.run(scenario())
    assert seconds == [42.0, 42.0]
