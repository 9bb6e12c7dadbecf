"""The wire: what the SDK sees of the offline model is what it sees of the real API."""

import asyncio
import json
from http.client import HTTPConnection

import anthropic
import pytest

from deployments.offline_model.server import serve_offline
from deployments.offline_model.wire import BODY_LIMIT


def raw(handle, method, path, body=None, headers=None):
    """Status, headers and value of one request without the SDK."""
    connection = HTTPConnection("127.0.0.1", int(handle.url.rsplit(":", 1)[1]), timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), json.loads(response.read())
    finally:
        connection.close()


KEYED = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


def test_a_message_has_the_model_usage_stop_reason_and_request_id(offline, ask):
    """The SDK's message type is filled: text, own model name, usage by the stated rule, a request id."""
    sections = {"assignment": ask.assignment("report"), "events": ask.events()}
    said = ask.message(offline.url, sections, ask.content.InsightReport, model="offline-other")
    assert said.model == "offline-extractive"
    assert (said.role, said.stop_reason, said.type) == ("assistant", "end_turn", "message")
    assert said.usage.output_tokens == len(said.content[0].text) // 4
    sent = offline.requests[-1].json
    assert said.usage.input_tokens == len(sent["system"] + "\n" + sent["messages"][0]["content"]) // 4
    assert (said.usage.cache_read_input_tokens, said.usage.cache_creation_input_tokens) == (0, 0)
    assert said._request_id.startswith("req_offline_")


def test_the_same_request_gets_the_same_message_byte_for_byte(offline):
    """Two requests alike get one body."""
    body = json.dumps(
        {
            "model": "offline-a",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": "I have 3 apples."}],
        }
    )
    first, second = (raw(offline, "POST", "/v1/messages", body, KEYED)[2] for _ in range(2))
    assert first == second


def test_models_are_listed_and_retrieved(offline, ask):
    """One model is there and says what it is; any other is not found."""
    page = ask.call(offline.url, lambda client: client.models.list())
    assert [model.id for model in page.data] == ["offline-extractive"]
    found = ask.call(offline.url, lambda client: client.models.retrieve("offline-extractive"))
    assert "not a language model" in found.display_name
    with pytest.raises(anthropic.NotFoundError, match="claude-x"):
        ask.call(offline.url, lambda client: client.models.retrieve("claude-x"))


def test_tokens_are_counted_by_the_stated_rule(offline, ask):
    """Characters of system and messages, divided by four."""
    counted = ask.call(
        offline.url,
        lambda client: client.messages.count_tokens(
            model="offline-extractive", system="abc", messages=[{"role": "user", "content": "x" * 40}]
        ),
    )
    assert counted.input_tokens == 11


def test_an_unknown_model_is_not_found_unless_any_is_allowed(offline, ask):
    """A rehearsal may send the real names; otherwise the error names the model."""
    with pytest.raises(anthropic.NotFoundError, match="claude-opus-9"):
        ask.message(offline.url, {}, None, model="claude-opus-9")
    with serve_offline(any_model=True) as other:
        assert ask.message(other.url, {}, None, model="claude-opus-9").model == "offline-extractive"


def test_a_key_is_required_and_checked_where_one_is_set(offline, ask):
    """No key is 401; a server with a key takes only that one."""
    status, headers, body = raw(offline, "GET", "/v1/models", headers={"anthropic-version": "1"})
    assert (status, body["error"]["type"]) == (401, "authentication_error")
    assert headers["request-id"] == body["request_id"]
    with serve_offline(key="right") as locked:
        with pytest.raises(anthropic.AuthenticationError, match="invalid API key"):
            ask.call(locked.url, lambda client: client.models.list(), key="wrong")
        assert ask.call(locked.url, lambda client: client.models.list(), key="right").data
        assert (
            raw(locked, "GET", "/v1/models", headers={"x-api-key": "right", "anthropic-version": "1"})[0]
            == 200
        )


USER = [{"role": "user", "content": "hello"}]
GOOD = {"model": "offline-extractive", "max_tokens": 10, "messages": USER}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ({"max_tokens": 10, "messages": USER}, "model: Field required"),
        ({**GOOD, "model": ""}, "model: Input should be"),
        ({"model": "offline-x", "messages": USER}, "max_tokens: Field required"),
        ({**GOOD, "max_tokens": 0}, "max_tokens: Input should be"),
        ({**GOOD, "max_tokens": True}, "max_tokens: Input should be"),
        ({"model": "offline-x", "max_tokens": 10}, "messages: Field required"),
        ({**GOOD, "messages": "hello"}, "messages: Input should be a valid list"),
        ({**GOOD, "messages": []}, "at least one message"),
        ({**GOOD, "messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        ({**GOOD, "messages": ["x"]}, "messages.0.role"),
        ({**GOOD, "messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({**GOOD, "messages": [{"role": "user", "content": 3}]}, "a string or a list"),
        ({**GOOD, "messages": [{"role": "user", "content": [{"type": "image"}]}]}, "text blocks only"),
        ({**GOOD, "system": 7}, "system: Input should be"),
        ({**GOOD, "stream": True}, "stream"),
        ({**GOOD, "output_config": {"format": {"type": "grammar"}}}, "json_schema"),
        ({**GOOD, "output_config": {"format": 3}}, "json_schema"),
        (
            {**GOOD, "output_config": {"format": {"type": "json_schema", "schema": {"title": "Poem"}}}},
            "not Poem",
        ),
    ],
)
def test_a_wrong_request_is_refused_in_words(offline, body, said):
    """What is missing or wrong is named, as invalid_request_error."""
    text = body if isinstance(body, str) else json.dumps(body)
    status, _, answer = raw(offline, "POST", "/v1/messages", text, KEYED)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert said in answer["error"]["message"]


def test_the_version_header_is_required(offline):
    """As at the real API."""
    status, _, answer = raw(offline, "GET", "/v1/models", headers={"x-api-key": "k"})
    assert (status, answer["error"]["message"]) == (400, "anthropic-version: header is required")


def test_a_path_that_is_not_served_is_not_found(offline):
    """Both the API's paths and our own."""
    assert raw(offline, "GET", "/v1/files", headers=KEYED)[0] == 404
    assert raw(offline, "GET", "/offline/secrets")[0] == 404


def test_a_body_over_the_limit_is_too_large(offline, ask):
    """The whole body is taken, so that the client hears the answer instead of a broken pipe."""
    with pytest.raises(anthropic.ContentTooLargeError, match="maximum size"):
        ask.message(offline.url, {}, None, system="x" * BODY_LIMIT)


def test_content_blocks_and_earlier_turns_are_read(offline, ask):
    """System and content may be lists of text blocks; the last user message is what is answered."""
    turns = [
        {"role": "user", "content": "I had 3 pears."},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": [{"type": "text", "text": "I have 4 apples."}]},
    ]
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    said = ask.message(offline.url, {}, None, messages=turns, system=system).content[0].text
    assert "4 apples" in said
    assert "pears" not in said
    assert "offline-extractive" in said


def test_a_request_without_a_user_message_is_answered_with_nothing_to_quote(offline, ask):
    """An assistant turn alone holds no text of the user's."""
    said = ask.message(offline.url, {}, None, messages=[{"role": "assistant", "content": "Noted."}])
    assert said.content[0].text.endswith("Of 0 sentences: none.")


def test_max_tokens_cuts_the_answer_and_says_so(offline, ask):
    """An answer longer than allowed stops there."""
    sections = {"assignment": ask.assignment("report"), "events": ask.events()}
    said = ask.message(offline.url, sections, ask.content.InsightReport, max_tokens=20)
    assert said.stop_reason == "max_tokens"
    assert len(said.content[0].text) == 80


def test_what_was_sent_is_recorded_as_it_was_on_the_wire(ask):
    """Tests prove by it what a request contained."""
    with serve_offline() as handle:
        ask.message(handle.url, {"events": ask.events()}, ask.content.InsightReport)
        (seen,) = handle.requests
        assert (seen.method, seen.path) == ("POST", "/v1/messages")
        assert seen.headers["user-agent"].startswith("AsyncAnthropic")
        assert seen.json["output_config"]["format"]["schema"]["title"] == "InsightReport"
        assert handle.counts == {"InsightReport": 1}


def test_messages_in_flight_are_counted_until_they_end_or_their_client_leaves(ask):
    """Eight at once are eight; clients that give up are no longer in flight; tokens are summed."""

    async def eight(handle):
        async with anthropic.AsyncAnthropic(base_url=handle.url, api_key="x", max_retries=0) as client:
            waiting = [asyncio.ensure_future(client.messages.create(**GOOD)) for _ in range(8)]
            while handle.stats["in_flight"] < 8:  # noqa: ASYNC110 - the server offers a figure, not an event
                await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            while handle.stats["in_flight"]:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0)

    with serve_offline(latency=60) as handle:
        asyncio.run(asyncio.wait_for(eight(handle), 30))
        assert handle.stats["max_in_flight"] == 8
        assert raw(handle, "GET", "/offline/stats")[2] == handle.stats
        assert handle.stats["output_tokens"] == 0
    with serve_offline() as handle:
        said = ask.message(handle.url, {}, None)
        assert handle.stats["by_schema"] == {"none": 1}
        assert handle.stats["messages"] == 1
        assert handle.stats["output_tokens"] == said.usage.output_tokens


def test_a_client_that_leaves_in_the_middle_of_its_request_is_forgotten(offline):
    """Half a request is neither recorded nor answered, and the server goes on."""
    before = len(offline.requests)
    connection = HTTPConnection("127.0.0.1", int(offline.url.rsplit(":", 1)[1]), timeout=20)
    connection.putrequest("POST", "/v1/messages")
    for name, value in {**KEYED, "content-length": "100"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"half")
    connection.close()
    assert raw(offline, "GET", "/v1/models", headers=KEYED)[0] == 200
    assert len([seen for seen in offline.requests[before:] if seen.path == "/v1/messages"]) == 0
