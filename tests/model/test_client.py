"""One request over the wire: what it looks like, how long it waits, what each answer means."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal

import anthropic
import pytest

from contracts.content import InsightReport, Notice
from deployments.offline_model.server import serve_offline
from evaluation.fence import fenced
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.prices import load_prices
from tasks.model.throttle import Passenger

EVENTS = [
    {
        "n": 1,
        "kind": "feedback.submitted",
        "when": "2026-11-19",
        "priority": "HIGH",
        "topic": "phones",
        "rating": 1,
        "text": "Nobody answers the phone after five and the queue drops the call.",
    }
]


def asking(reply=InsightReport, model="offline-extractive", user=None, max_tokens=4_000) -> ModelRequest:
    """A request for what three lines of feedback say."""
    return ModelRequest(model, "You are an analyst.", user or fenced({"events": EVENTS}), reply, max_tokens)


@asynccontextmanager
async def client_of(url, *, key="offline", timeout_s=20.0, max_in_flight=4) -> AsyncIterator[ModelClient]:
    """A client for the address."""
    async with ModelClient(key, url, timeout_s, max_in_flight, load_prices()) as client:
        yield client


def ask(url, request=None, call_id="call-1", **client):
    """The reply to one request, or the `ModelCallError` it ends with."""

    async def once():
        async with client_of(url, **client) as opened:
            return await opened.ask(request or asking(), call_id)

    return asyncio.run(once())


def failure_of(url, request=None, **client):
    """The error one request ends with."""
    with pytest.raises(ModelCallError) as failed:
        ask(url, request, **client)
    return failed.value


def test_the_request_is_constrained_by_the_schema_and_has_no_temperature(offline):
    """Body: model, limit, system, one user message and the JSON schema of the reply, and nothing else."""
    reply = ask(offline.url)
    (sent,) = offline.requests
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert set(sent.json) == {"model", "max_tokens", "system", "messages", "output_config"}
    assert sent.json["output_config"] == {
        "format": {"type": "json_schema", "schema": anthropic.transform_schema(InsightReport)}
    }
    assert sent.json["messages"] == [{"role": "user", "content": asking().user}]
    assert InsightReport.model_validate_json(reply.text).insights


def test_the_call_id_travels_with_the_request(offline):
    """What the ledger calls it is what the provider's log can be searched for."""
    ask(offline.url, call_id="call-77")
    assert offline.requests[0].headers["x-penstock-call"] == "call-77"


def test_equal_questions_have_one_hash_and_others_another():
    """The identity covers model, system, user text, schema and limit."""
    assert asking().hash == asking().hash
    others = [asking(Notice), asking(model="offline-2"), asking(user="x"), asking(max_tokens=4_001)]
    assert len({asking().hash, *(other.hash for other in others)}) == 5


def test_a_reply_carries_the_providers_own_usage_and_its_price(offline):
    """Tokens are those the provider counted; the offline model costs nothing, by its row in the table."""
    reply = ask(offline.url)
    assert reply.usage.input_tokens == offline.stats["input_tokens"] > 0
    assert reply.usage.output_tokens == offline.stats["output_tokens"] > 0
    assert (reply.model, reply.stop_reason, reply.cost_usd) == ("offline-extractive", "end_turn", 0)
    assert reply.latency_ms > 0


def test_a_reply_of_a_priced_model_costs_what_its_tokens_cost():
    """USD are the table's rates times the provider's tokens, exactly."""
    with serve_offline(any_model=True) as offline:
        reply = ask(offline.url, asking(model="claude-opus-5"))
        spent = 5 * offline.stats["input_tokens"] + 25 * offline.stats["output_tokens"]
    assert reply.cost_usd == Decimal(spent) / 1_000_000 > 0


@pytest.mark.parametrize(
    ("play", "words"),
    [
        ({"kind": "error", "status": 500}, "HTTP 500"),
        ({"kind": "error", "status": 408}, "HTTP 408"),
        ({"kind": "error", "status": 409}, "HTTP 409"),
        ({"kind": "rate_limit"}, "HTTP 429"),
        ({"kind": "overloaded"}, "HTTP 529"),
        ({"kind": "disconnect"}, "Connection error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_client_itself_never_asks_twice(offline, play, words):
    """The SDK's retries are off: whatever may succeed later leaves as one request and comes back transient."""
    offline.play([{"play": play}])
    error = failure_of(offline.url)
    assert error.is_transient
    assert words in str(error)
    assert len(offline.requests) == 1


def test_the_time_limit_is_the_one_that_was_set(offline):
    """A provider that says nothing is given up on after `timeout_s`, once, as transient."""
    offline.play([{"play": {"kind": "hang", "seconds": 600}}])
    error = failure_of(offline.url, timeout_s=0.2)
    assert error.failure.error == "APITimeoutError"
    assert error.is_transient
    assert len(offline.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_the_provider_rejects_is_not_transient(offline, status):
    """Other 4xx answers say that the same request will never do."""
    offline.play([{"play": {"kind": "error", "status": status}}])
    error = failure_of(offline.url)
    assert (error.failure.kind, error.is_transient) == ("rejected", False)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(
    ("play", "kind", "name"), [("refusal", "refused", "ModelRefused"), ("truncate", "invalid", "AnswerCut")]
)
def test_a_refused_or_cut_answer_is_classified_and_keeps_its_cost(play, kind, name):
    """It was paid for: usage and USD stay with the failure, and it is not asked again."""
    with serve_offline([{"play": {"kind": play}}], any_model=True) as offline:
        error = failure_of(offline.url, asking(model="claude-opus-5"))
    assert (error.failure.kind, error.failure.error, error.is_transient) == (kind, name, False)
    assert error.failure.usage.input_tokens == offline.stats["input_tokens"] > 0
    assert error.failure.cost_usd >= Decimal(5 * offline.stats["input_tokens"]) / 1_000_000


def test_an_answer_longer_than_its_limit_is_cut_not_kept(offline):
    """`max_tokens` bounds what is paid; what does not fit is a failure, not half a report."""
    error = failure_of(offline.url, asking(max_tokens=20))
    assert (error.failure.error, error.failure.usage.output_tokens) == ("AnswerCut", 20)


@pytest.mark.parametrize(
    ("play", "seconds"),
    [
        ({"kind": "rate_limit", "retry_after": 7}, 7.0),
        ({"kind": "rate_limit"}, None),
        ({"kind": "hang", "seconds": 0}, None),
    ],
)
def test_the_providers_wish_to_wait_is_passed_on(offline, play, seconds):
    """`retry-after` in seconds where it was given; a lost connection wishes nothing."""
    offline.play([{"play": play}])
    assert failure_of(offline.url).retry_after == seconds


def test_an_address_where_nothing_answers_is_transient_and_named():
    """The message says what could not be reached; a password in the address is not shown."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = failure_of(f"http://me:hush-hush@127.0.0.1:{port}")
    assert error.is_transient
    assert f"Connection error. (http://127.0.0.1:{port}/v1/messages)" in str(error)
    assert "hush-hush" not in repr(error.failure)


def test_requests_in_flight_never_exceed_the_bound():
    """Ten questions at once, three slots: the provider never sees more than three."""
    with serve_offline(latency=0.05) as offline:

        async def one(client, number):
            async with client.throttle.passed(Passenger("any", "acme", 0)):
                await client.ask(asking(), f"call-{number}")

        async def all_at_once():
            async with client_of(offline.url, max_in_flight=3) as client:
                await asyncio.gather(*(one(client, number) for number in range(10)))

        asyncio.run(all_at_once())
        assert offline.stats["max_in_flight"] <= 3
        assert offline.stats["messages"] == 10


def test_a_slot_is_given_back_when_a_call_fails(offline):
    """One slot, a failure, then an answer: the failure holds nothing."""
    offline.play([{"play": {"kind": "overloaded"}, "times": 1}])

    async def twice():
        async with client_of(offline.url, max_in_flight=1) as client:
            with pytest.raises(ModelCallError):
                await client.ask(asking(), "call-1")
            return await client.ask(asking(), "call-2")

    assert asyncio.run(twice()).text


def reach(url, **client):
    """What `reachable` says."""

    async def once():
        async with client_of(url, **client) as opened:
            return await opened.reachable()

    return asyncio.run(once())


def test_reachable_names_the_models_behind_a_good_key():
    """A cheap question proves address and key; a wrong key is rejected by name."""
    with serve_offline(key="right") as offline:
        assert reach(offline.url, key="right") == {"models": ["offline-extractive"]}
        with pytest.raises(ModelCallError, match="HTTP 401") as refused:
            reach(offline.url, key="wrong")
    assert refused.value.failure.kind == "rejected"
