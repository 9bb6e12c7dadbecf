"""Paid calls: on record before they leave, retried by one owner, settled to what they cost, never paid twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import Future, RetryCallState

from contracts.calls import CallFailure, Purpose
from contracts.content import InsightReport
from deployments.offline_model.server import serve_offline
from evaluation.fence import fenced
from ledger.call_rules import CallHeldError
from ledger.costs import costs
from ledger.engine import Ledger
from ledger.work import calls_in_doubt
from tasks.model.caps import tokens_of_model
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.paid import Caller, PaidCalls, PaidReply, Question, RetryPolicy
from tasks.model.prices import load_prices
from tasks.model.tokens import TokenPurse
from tests.worlds import until

WHO = Caller("b-1", "acme", "u-7", "support", "insights", "insights", "insights")


def question(text="The phone rings out.", purpose=Purpose.GENERATE, model="offline-extractive") -> Question:
    """What does this event say?"""
    shown = {"n": 1, "kind": "feedback.submitted", "when": None, "priority": "HIGH", "topic": "phones"}
    user = fenced({"events": [{**shown, "rating": None, "text": text}]})
    return Question(purpose, ModelRequest(model, "You are an analyst.", user, InsightReport, 4_000), "p1")


@dataclass
class Paying:
    """A ledger, a provider's address, and how calls are made between them. `waits` are the sleeps asked for."""

    ledger: Ledger
    url: str
    delays_s: tuple[float, ...] = (1.0, 5.0, 25.0)
    timeout_s: float = 20.0
    spread: float = 0.5
    waits: list[float] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def _sleep(self, seconds):
        self.waits.append(seconds)

    @asynccontextmanager
    async def calls(self, clock) -> AsyncIterator[PaidCalls]:
        """Paid calls that note how long they would wait instead of waiting."""
        retry = RetryPolicy(self.delays_s, lambda: self.spread, self._sleep)
        async with ModelClient("key", self.url, self.timeout_s, 8, load_prices()) as client:
            yield PaidCalls(self.ledger, client, retry, clock, lambda: f"call-{next(self.numbers)}")

    def ask(self, clock, *questions, settle=True):
        """Ask one after the other; the replies, settled as those without another row are."""

        async def all_of_them():
            async with self.calls(clock) as calls:
                replies = []
                for one in questions:
                    replies.append(await calls.ask(WHO, one))
                    if settle:
                        await calls.settle(replies[-1])
                return replies

        return asyncio.run(all_of_them())


async def under_way(calls, offline) -> asyncio.Task[PaidReply]:
    """A question that has reached the provider and waits for its answer."""
    asked = asyncio.create_task(calls.ask(WHO, question()))
    await until(lambda: offline.requests)
    return asked


def ids_on_the_wire(offline):
    """The call ids of the requests as they came."""
    return [request.headers["x-penstock-call"] for request in offline.requests]


def rows(ledger):
    """Every call in the ledger: id, state, kind of failure, cost."""
    with ledger.connect() as connection:
        query = "SELECT id, state, failure_kind, cost_usd FROM model_calls ORDER BY id"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_calls_identity_is_in_the_ledger_before_its_answer(ledger, offline, clock):
    """While the provider is still silent, the ledger knows who asked what, and that it may be paid for."""
    offline.play([{"play": {"kind": "hang", "seconds": 600}}])

    async def look_while_it_hangs():
        async with Paying(ledger, offline.url).calls(clock) as calls:
            asked = await under_way(calls, offline)
            doubtful = await asyncio.to_thread(calls_in_doubt, ledger)
            asked.cancel()
            await asyncio.wait([asked])
            return doubtful

    (identity,) = asyncio.run(look_while_it_hangs())
    assert [identity.id] == ids_on_the_wire(offline)
    assert (identity.batch, identity.tenant, identity.user, identity.feature) == (
        "b-1",
        "acme",
        "u-7",
        "support",
    )
    assert (identity.stage, identity.item, identity.purpose) == ("insights", "insights", Purpose.GENERATE)
    assert (identity.request_hash, identity.prompt_version) == (question().request.hash, "p1")
    assert identity.started_at == clock.now


def test_a_call_that_was_cut_off_stays_in_doubt(sqlite_ledger, offline, clock):
    """A worker killed between request and answer leaves a row that says so: it may have cost something."""
    offline.play([{"play": {"kind": "hang", "seconds": 600}}])

    async def killed():
        async with Paying(sqlite_ledger, offline.url).calls(clock) as calls:
            asked = await under_way(calls, offline)
            asked.cancel()
            await asyncio.wait([asked])

    asyncio.run(killed())
    assert [call.id for call in calls_in_doubt(sqlite_ledger)] == ["call-1"]


def test_a_paid_answer_is_never_paid_again(ledger, offline, clock):
    """The same question for the same item is answered by the ledger, in a new process too."""
    (first,) = Paying(ledger, offline.url).ask(clock, question())
    (again,) = Paying(ledger, offline.url, numbers=count(2)).ask(clock, question())
    assert len(offline.requests) == 1
    assert (first.call_id, again.call_id) == ("call-1", None)
    assert first.reply == again.reply
    assert (first.settlement is None, again.settlement) == (False, None)


def test_another_question_item_or_purpose_is_paid_for(sqlite_ledger, offline, clock):
    """Only the very same request is the same: other words, or another purpose, leave as a call of their own."""
    asked = [question(), question("Other words."), question(purpose=Purpose.DIAGNOSE)]
    replies = Paying(sqlite_ledger, offline.url).ask(clock, *asked)
    assert [reply.call_id for reply in replies] == ids_on_the_wire(offline) == ["call-1", "call-2", "call-3"]


def test_an_answer_without_a_settlement_is_not_taken_for_paid(sqlite_ledger, offline, clock):
    """What no transaction has kept is asked again: the first stays in doubt for an operator to see."""
    paying = Paying(sqlite_ledger, offline.url)
    paying.ask(clock, question(), settle=False)
    paying.ask(clock, question())
    assert len(offline.requests) == 2
    assert [call.id for call in calls_in_doubt(sqlite_ledger)] == ["call-1"]


@pytest.mark.parametrize("play", [{"kind": "error", "status": 500}, {"kind": "overloaded"}])
@pytest.mark.parametrize("delays", [(), (1.0,), (1.0, 5.0, 25.0)], ids=len)
def test_a_transient_error_is_asked_again_once_a_delay(sqlite_ledger, offline, clock, play, delays):
    """Exactly one request more than there are delays, each a row of its own that says how it failed."""
    offline.play([{"play": play}])
    paying = Paying(sqlite_ledger, offline.url, delays)
    with pytest.raises(ModelCallError) as failed:
        paying.ask(clock, question())
    assert failed.value.is_transient
    assert len(offline.requests) == 1 + len(delays)
    assert paying.waits == list(delays)
    assert [row[1:3] for row in rows(sqlite_ledger)] == [("FAILED", "transient")] * (1 + len(delays))
    assert [row[0] for row in rows(sqlite_ledger)] == ids_on_the_wire(offline)


def test_an_answer_after_a_transient_error_counts(sqlite_ledger, offline, clock):
    """Two disturbances, then the answer: three rows, one of them paid."""
    offline.play([{"play": {"kind": "overloaded"}, "times": 1}, {"play": {"kind": "disconnect"}, "times": 1}])
    paying = Paying(sqlite_ledger, offline.url)
    (reply,) = paying.ask(clock, question())
    assert (reply.call_id, paying.waits) == ("call-3", [1.0, 5.0])
    assert [row[1] for row in rows(sqlite_ledger)] == ["FAILED", "FAILED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("play", "kind"),
    [
        ({"kind": "error", "status": 400}, "rejected"),
        ({"kind": "error", "status": 401}, "rejected"),
        ({"kind": "refusal"}, "refused"),
        ({"kind": "truncate"}, "invalid"),
    ],
)
def test_what_will_not_change_is_not_asked_again(sqlite_ledger, clock, play, kind):
    """Rejected, refused and cut answers end at once, with their cost on record."""
    with serve_offline([{"play": play}], any_model=True) as offline:
        paying = Paying(sqlite_ledger, offline.url)
        with pytest.raises(ModelCallError) as failed:
            paying.ask(clock, question(model="claude-opus-5"))
        assert len(offline.requests) == 1
    assert paying.waits == []
    ((_, state, recorded, nanos),) = rows(sqlite_ledger)
    assert (state, recorded) == ("FAILED", kind)
    assert Decimal(nanos) / 10**9 == failed.value.failure.cost_usd
    assert (nanos > 0) is (kind != "rejected")


def test_the_books_equal_what_the_provider_counted(ledger, clock):
    """Failed, cut and good calls together: the ledger's tokens are the provider's, its USD their price."""
    plays = [{"play": {"kind": "overloaded"}, "times": 1}, {"play": {"kind": "truncate"}, "times": 1}]
    with serve_offline(plays, any_model=True) as offline:
        paying = Paying(ledger, offline.url)
        asked = [question(f"Event {number} is late.", model="claude-opus-5") for number in range(4)]
        with pytest.raises(ModelCallError):
            paying.ask(clock, asked[0])
        paying.ask(clock, *asked[1:])
        counted = offline.stats
    booked = costs(ledger)
    spent = {name: sum(row[name] for row in booked) for name in ("calls", "input_tokens", "output_tokens")}
    assert spent == {
        "calls": counted["messages"],
        "input_tokens": counted["input_tokens"],
        "output_tokens": counted["output_tokens"],
    }
    usd = Decimal(5 * counted["input_tokens"] + 25 * counted["output_tokens"]) / 1_000_000
    assert sum(Decimal(row[3]) for row in rows(ledger)) / 10**9 == usd > 0


def test_an_unusable_answer_is_settled_as_a_failure_with_its_cost(sqlite_ledger, clock):
    """What was paid for and cannot be used costs what it cost, and is asked again when it is needed again."""
    with serve_offline(any_model=True) as offline:

        async def rejected():
            async with Paying(sqlite_ledger, offline.url).calls(clock) as calls:
                paid = await calls.ask(WHO, question(model="claude-opus-5"))
                return await calls.reject(paid, "not what was asked for"), paid.reply

        error, reply = asyncio.run(rejected())
    assert (error.failure.kind, str(error), error.is_transient) == (
        "invalid",
        "not what was asked for",
        False,
    )
    ((_, state, kind, nanos),) = rows(sqlite_ledger)
    assert (state, kind, Decimal(nanos) / 10**9) == ("FAILED", "invalid", reply.cost_usd)
    assert reply.cost_usd > 0


def test_a_refused_answer_counts_its_tokens_against_the_tokens_a_minute(sqlite_ledger, offline, clock):
    """As many as the provider counted, and not as many as an answer was expected to have."""
    offline.play([{"play": {"kind": "refusal"}}])
    purse = TokenPurse(asyncio.Event())
    purse.open(1_000_000)
    purse.add(10_000)

    async def refused():
        async with Paying(sqlite_ledger, offline.url).calls(clock) as calls:
            calls.client.throttle.purses[tokens_of_model("offline-extractive")] = purse
            with pytest.raises(ModelCallError):
                await calls.ask(WHO, question())

    asyncio.run(refused())
    counted = offline.stats
    assert counted["output_tokens"] < 100
    assert 10_000 - purse.left == counted["input_tokens"] + counted["output_tokens"]


def test_an_earlier_answer_is_neither_settled_nor_rejected_again(sqlite_ledger, offline, clock):
    """A reply that came from the ledger has no open call: its row stays as it is."""

    async def both():
        async with Paying(sqlite_ledger, offline.url).calls(clock) as calls:
            await calls.settle(await calls.ask(WHO, question()))
            again = await calls.ask(WHO, question())
            await calls.settle(again)
            await calls.reject(again, "too late")

    asyncio.run(both())
    assert [row[1] for row in rows(sqlite_ledger)] == ["SUCCEEDED"]


def test_the_providers_wish_is_waited_for_where_it_is_longer(sqlite_ledger, offline, clock):
    """`retry-after: 7` lengthens the first wait of one second and leaves the second of 25."""
    offline.play([{"play": {"kind": "rate_limit", "retry_after": 7}, "times": 2}])
    paying = Paying(sqlite_ledger, offline.url, (1.0, 25.0))
    paying.ask(clock, question())
    assert paying.waits == [7.0, 25.0]


def test_what_failed_for_good_still_says_what_the_provider_did(sqlite_ledger, offline, clock):
    """The error that comes out was caused by the provider's own, with which its trace begins."""
    offline.play([{"play": {"kind": "rate_limit"}, "times": 2}])
    with pytest.raises(ModelCallError) as failed:
        Paying(sqlite_ledger, offline.url, (1.0,)).ask(clock, question())
    assert type(failed.value.__cause__).__name__ == "RateLimitError"


def test_a_longer_wish_than_anybody_waits_for_holds_the_batch_until_then(sqlite_ledger, offline, clock):
    """`retry-after: 3600` is no sleep with a batch in hand: the call is settled, and the batch comes back later."""
    offline.play([{"play": {"kind": "rate_limit", "retry_after": 3600}}])
    paying = Paying(sqlite_ledger, offline.url, (1.0, 25.0))
    with pytest.raises(CallHeldError, match="asks to be left alone for 3600 s") as held:
        paying.ask(clock, question())
    assert held.value.resume_at == clock.now + timedelta(hours=1)
    assert (paying.waits, len(offline.requests)) == ([], 1)
    assert [row[1] for row in rows(sqlite_ledger)] == ["FAILED"]


def state_after(attempt, error):
    """The state tenacity shows to `wait` after a failed attempt."""
    state = RetryCallState(None, None, (), {})
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return state


def transient(retry_after=None):
    """A transient error, perhaps with the provider's wish."""
    return ModelCallError(CallFailure(error="E", message="busy", kind="transient"), retry_after)


@given(
    delays=st.lists(st.floats(0, 3_600), min_size=1, max_size=5).map(tuple),
    spread=st.floats(0, 1),
    wish=st.none() | st.floats(0, 10_000),
    data=st.data(),
)
def test_every_wait_is_its_delay_spread_by_a_fifth_or_the_longer_wish(delays, spread, wish, data):
    """Within 20 % of the plan, never shorter than the provider wishes, and no longer than the larger of both."""
    attempt = data.draw(st.integers(1, len(delays)))
    wait = RetryPolicy(delays, lambda: spread).wait(state_after(attempt, transient(wish)))
    planned = delays[attempt - 1]
    assert wait >= (wish or 0)
    assert planned * 0.8 - 1e-6 <= wait <= max(planned * 1.2 + 1e-6, wish or 0)


def test_the_jitter_reaches_both_ends():
    """A spread of 0 is a fifth less, of 1 a fifth more: not everybody comes back at once."""
    policies = [RetryPolicy((10.0,), partial(float, spread)) for spread in (0.0, 0.5, 1.0)]
    waits = [policy.wait(state_after(1, transient())) for policy in policies]
    assert waits == pytest.approx([8, 10, 12])


def test_an_error_of_our_own_is_not_a_reason_to_ask_again(sqlite_ledger, offline, clock):
    """Only the provider's transient errors are retried: a model without a price fails once, and unasked."""
    paying = Paying(sqlite_ledger, offline.url)
    with pytest.raises(Exception, match="no price for model 'claude-nova'"):
        paying.ask(clock, question(model="claude-nova"))
    assert (paying.waits, offline.requests) == ([], [])
