"""What a request needs before it leaves: every cap on it, and tokens that are settled with what it used."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.counting_model import counting_model
from contracts.calls import Usage
from contracts.content import InsightReport
from tasks.model.caps import BURST, REQUESTS, cap_of_tokens, requests_of_model, requests_of_tenant
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.prices import load_prices
from tasks.model.slots import NoSlotsError, Slots
from tasks.model.throttle import Passenger, Throttle
from tasks.model.tokens import TokenPurse
from tests.worlds import until

MODEL = "offline-extractive"
ASKED = ModelRequest(MODEL, "You are an analyst.", "What is wrong?", InsightReport, 100)

STEPS = st.one_of(
    st.tuples(st.just("buy"), st.integers(1, 40)),
    st.tuples(st.just("ask"), st.integers(1, 20)),
    st.tuples(st.just("end"), st.integers(0, 30)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
)


async def rest():
    """Everything that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


class Spending:
    """Requests that spend tokens, and what each of them is at."""

    def __init__(self):
        self.purse = TokenPurse(asyncio.Event())
        self.purse.open(1_000)
        self.bought = self.used = self.begun = 0
        self.asked: list[asyncio.Task] = []
        self.running: list[tuple[int, asyncio.Future]] = []

    def buy(self, tokens):
        """So many more."""
        self.bought += tokens
        self.purse.add(tokens)

    def ask(self, need):
        """One more request."""
        self.asked.append(asyncio.create_task(self._one(need)))

    async def _one(self, need):
        async with self.purse.spent(need) as bill:
            end = asyncio.get_running_loop().create_future()
            self.running.append((need, end))
            self.begun += 1
            bill.tokens = await end

    def end(self, used):
        """The first is answered, and has used so many."""
        if self.running:
            self.running.pop(0)[1].set_result(used)
            self.used += used

    def cancel(self, which):
        """One that waits goes away."""
        waiting = [task for task in self.asked if not task.done()][len(self.running) :]
        if waiting:
            waiting[which % len(waiting)].cancel()

    @property
    def covered(self):
        """True where all that was used, and will be as far as anybody knows, was bought."""
        return self.used + sum(need for need, _ in self.running) <= self.bought


@given(st.lists(STEPS, max_size=40))
def test_no_request_begins_on_tokens_that_nobody_bought(steps):
    """What one used beyond what was expected is owed, and paid before the next one begins."""

    async def play():
        spending = Spending()
        for step, value in steps:
            before = spending.begun
            getattr(spending, step)(value)
            await rest()
            assert spending.covered or spending.begun == before
        for each in spending.asked:
            each.cancel()
        await asyncio.gather(*spending.asked, return_exceptions=True)

    asyncio.run(play())


def test_who_needs_more_tokens_than_the_cap_has_counts_as_all_of_them():
    """It would never begin otherwise; what it used beyond that is owed."""

    async def play():
        purse = TokenPurse(asyncio.Event())
        purse.open(100)
        asks = asyncio.create_task(_spend(purse, 500, used=450))
        await rest()
        assert purse.missing == 100
        purse.add(100)
        await asks
        later = asyncio.create_task(_spend(purse, 10, used=10))
        await rest()
        assert purse.missing == 360
        purse.add(360)
        await later

    asyncio.run(play())


async def _spend(purse, need, *, used):
    async with purse.spent(need) as bill:
        bill.tokens = used


@given(st.integers(60, 10**9))
def test_no_minute_has_more_tokens_than_its_cap(a_minute):
    """The bucket that is full at its beginning, and what comes back in it."""
    cap = cap_of_tokens("any", a_minute)
    assert cap.slots + 60 * cap.decay <= a_minute * (1 + 1e-9)
    assert cap.slots >= 1
    assert 60 * cap.decay >= (1 - BURST) * a_minute * (1 - 1e-9) - 1


def passing(throttle, who, gone):
    """A request that leaves, and ends at once."""

    async def one():
        async with throttle.passed(who):
            gone.append(who.tenant)

    return asyncio.create_task(one())


def test_a_capped_tenant_keeps_nobody_from_the_slots_of_all():
    """Forty requests of a tenant that may have one in flight wait before the common cap, not in it."""

    async def play():
        throttle = Throttle(2)
        throttle.slots[requests_of_tenant("acme")] = Slots(0, throttle.short)
        gone = []
        capped = [passing(throttle, Passenger("m", "acme", 0, rank=3), gone) for _ in range(40)]
        await rest()
        others = [passing(throttle, Passenger("m", "globex", 0), gone) for _ in range(3)]
        await asyncio.wait(others)
        assert gone == ["globex"] * 3
        throttle.slots[requests_of_tenant("acme")].allow(1)
        await asyncio.wait(capped)
        assert gone.count("acme") == 40

    asyncio.run(play())


def test_each_cap_on_a_request_bounds_it():
    """Of a model, of a tenant, of all: the smallest counts."""

    async def most(model_slots, tenant_slots, all_slots):
        throttle = Throttle(all_slots)
        throttle.slots[requests_of_model("m")] = Slots(model_slots, throttle.short)
        throttle.slots[requests_of_tenant("t")] = Slots(tenant_slots, throttle.short)
        in_flight, seen = 0, []

        async def one():
            nonlocal in_flight
            async with throttle.passed(Passenger("m", "t", 0)):
                in_flight += 1
                seen.append(in_flight)
                await rest()
                in_flight -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return max(seen)

    for caps in ((2, 5, 7), (5, 2, 7), (7, 5, 2)):
        assert asyncio.run(most(*caps)) == 2


def test_a_closed_cap_is_told_and_holds_nothing():
    """Who waits is told why; the slots it had of other caps are free again."""

    async def play():
        throttle = Throttle(3)
        throttle.slots[REQUESTS].allow(0)
        own = throttle.slots[requests_of_tenant("acme")] = Slots(3, throttle.short)
        waits = passing(throttle, Passenger("m", "acme", 0), [])
        await rest()
        assert own.in_flight == 1
        throttle.slots[REQUESTS].close("switched off by Ada")
        with pytest.raises(NoSlotsError, match="switched off by Ada"):
            await waits
        assert own.in_flight == 0

    asyncio.run(play())


def test_what_is_expected_of_a_request_follows_what_answers_have_used():
    """The first is guessed, the later ones go by what came before."""

    async def play():
        throttle = Throttle(1)
        purse = throttle.purses["penstock-model-tokens:m"] = TokenPurse(throttle.short)
        purse.open(1_000_000)
        purse.add(1_000_000)
        for _ in range(60):
            async with throttle.passed(Passenger("m", "t", 400)) as passage:
                passage.used(Usage(input_tokens=100, output_tokens=3_000))
        before = purse._left
        async with throttle.passed(Passenger("m", "t", 400)):
            assert before - purse._left == pytest.approx(3_100, rel=0.01)

    asyncio.run(play())


def test_requests_that_are_broken_off_count_for_as_long_as_the_provider_has_them():
    """Four slots, eight requests that are cancelled on the way, eight more: the model's server never has five."""

    async def played(model):
        throttle = Throttle(4)
        async with ModelClient("offline", model.url, 10.0, 4, load_prices()) as client:

            async def one():
                async with throttle.passed(Passenger(MODEL, "acme", 40)) as passage:
                    with passage.asked(), suppress(ModelCallError):
                        await client.ask(ASKED, "call")

            await one()  # by which it is known how long they take
            lane = [asyncio.create_task(one()) for _ in range(8)]
            await until(lambda: model.in_flight == 4)
            for request in lane:
                request.cancel()
            await asyncio.gather(*lane, return_exceptions=True)
            await asyncio.gather(*(one() for _ in range(8)))

    with counting_model(0.3, 0.3) as model:
        asyncio.run(played(model))
    assert model.most == 4
    assert model.answered == 1 + 4 + 8
