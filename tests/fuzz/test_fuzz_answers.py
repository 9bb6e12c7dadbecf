"""The second door: 2,500 malformed answers of a provider over real HTTP: status, headers and body are anything."""

import asyncio
import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calls import CallIdentity, Purpose, Reply, Usage
from contracts.content import InsightReport
from ledger.engine import close_ledger, open_ledger
from ledger.work import begin_call, calls_in_doubt, settle_call
from tasks.model.client import ModelCallError, ModelClient, ModelRequest
from tasks.model.prices import load_prices
from tests.conftest import NOW
from tests.fuzz.malformed import EACH, MANY, garbage_bytes, near

MESSAGE = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "model": "offline-extractive",
    "content": [{"type": "text", "text": "fine"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 2},
}
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
VALID = json.dumps(MESSAGE).encode()

counts = st.integers() | st.sampled_from([2**31, 2**63, 10**30, 10**400, -1, 1.5, True, None, "7"])
usages = st.dictionaries(st.sampled_from(["input_tokens", "cache_read_input_tokens"]), counts, min_size=1)

bodies = st.one_of(
    usages.map(lambda usage: json.dumps(MESSAGE | {"usage": MESSAGE["usage"] | usage}).encode()),
    near(MESSAGE).map(lambda text: text.encode("utf-8", "surrogatepass")),
    near(ERROR).map(lambda text: text.encode("utf-8", "surrogatepass")),
    garbage_bytes,
)
statuses = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 408, 413, 429, 500, 503, 529, 599])
types = st.sampled_from(
    ["application/json", "application/json; charset=utf-16", "text/html", "text/event-stream", ""]
)
extras = st.lists(
    st.sampled_from(
        [
            b"retry-after: soon",
            b"retry-after: -1e400",
            b"retry-after: nan",
            b"retry-after: 3",
            b"retry-after: " + b"9" * 400,
            b"content-encoding: gzip",
            b"content-encoding: nonsense",
            b"transfer-encoding: chunked",
            b"location: http://127.0.0.1:1/",
            b"request-id: \xff\xfe",
            b"x-should-retry: true",
            b"set-cookie: a=\x01",
            b"no header at all",
        ]
    ),
    max_size=2,
)


@st.composite
def answers(draw):
    """The bytes of an answer: mostly HTTP."""
    if draw(st.integers(0, 19)) == 0:
        return draw(garbage_bytes)
    body = draw(bodies)
    if draw(st.booleans()):
        return whole(body)
    length = draw(st.sampled_from([len(body), len(body), len(body), 0, len(body) + 7, -1, 10**30]))
    lines = [f"HTTP/1.1 {draw(statuses)} Whatever".encode(), f"content-type: {draw(types)}".encode()]
    lines += [f"content-length: {length}".encode(), *draw(extras)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def whole(body=VALID):
    """A good answer."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )


class Provider:
    """A server on loopback that answers with the bytes it is given, and closes."""

    def __init__(self):
        self.answer = whole()

    async def serve(self, reader, writer):
        """One request, one answer."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(self.answer)
        writer.close()
        await writer.wait_closed()


@pytest.fixture(scope="module")
def ask(sqlite_template, tmp_path_factory):
    """Asks a provider who answers with these bytes; what came of it is settled in a real ledger and returned."""
    path = tmp_path_factory.mktemp("answers") / "ledger.db"
    path.write_bytes(sqlite_template.read_bytes())
    ledger, provider, numbers = open_ledger(f"sqlite:///{path}"), Provider(), count()
    request = ModelRequest("offline-extractive", "You are an analyst.", "Say something.", InsightReport, 400)

    async def asked(client, answer):
        provider.answer, call_id = answer, f"call-{next(numbers)}"
        try:
            outcome = await client.ask(request, call_id)
        except ModelCallError as error:
            outcome = error.failure
        if outcome.usage != Usage() or isinstance(outcome, Reply):
            begin_call(ledger, identity(call_id))
            settle_call(ledger, call_id, outcome, NOW)
        return outcome

    with asyncio.Runner() as runner:
        server = runner.run(asyncio.start_server(provider.serve, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        client = ModelClient("key", f"http://127.0.0.1:{port}", 5, 2, load_prices())
        runner.run(client.__aenter__())
        yield lambda answer: runner.run(asked(client, answer))
        runner.run(client.__aexit__(None, None, None))
        server.close()
    assert calls_in_doubt(ledger) == ()
    close_ledger(ledger)


def identity(call_id):
    """A call on record, each with a question of its own."""
    given = {"batch": "b-1", "tenant": "acme", "user": None, "feature": "app", "pipeline": "insights"}
    given |= {"stage": "insights", "item": "insights", "purpose": Purpose.GENERATE, "prompt_version": "p1"}
    given |= {"rubric_version": None, "request_hash": call_id, "started_at": NOW, "model": call_id}
    return CallIdentity(id=call_id, **given)


def test_an_answer_that_is_nested_without_end_is_a_failure_by_name(ask):
    """No parser gets to its end, and the call has one."""
    body = b"[" * 100_000
    head = b"HTTP/1.1 200 Fine\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
    assert "NotAModelApi" in str(ask(head + body))


@MANY
@given(st.lists(answers(), min_size=EACH, max_size=EACH))
def test_2500_malformed_answers_are_replies_or_failures_by_name_and_the_next_answer_is_heard(ask, malformed):
    """None raises anything else, each can be put on record, and a good answer after them arrives."""
    for outcome in map(ask, malformed):
        if isinstance(outcome, Reply):
            assert outcome.stop_reason == "end_turn"
        else:
            assert outcome.error
            assert outcome.message.strip()
    assert ask(whole()).text == "fine"
