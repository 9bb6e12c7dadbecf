"""Plays: each failure of a provider, acted out on request, reaches the SDK as its own exception."""

import json
from http.client import HTTPConnection

import anthropic
import pytest
from pydantic import ValidationError

from deployments.offline_model.nonsense import nonsense_of
from deployments.offline_model.plays import Match, Rule, Script
from deployments.offline_model.server import serve_offline


def rule(play, **others):
    """One rule as the API takes it."""
    return {"play": {"kind": play, **others}}


def report(handle, ask):
    """One insight report."""
    sections = {"assignment": ask.assignment("report"), "events": ask.events()}
    return ask.message(handle.url, sections, ask.content.InsightReport)


@pytest.mark.parametrize(
    ("play", "raised"),
    [
        (rule("rate_limit", retry_after=7), anthropic.RateLimitError),
        (rule("rate_limit"), anthropic.RateLimitError),
        (rule("overloaded"), anthropic.OverloadedError),
        (rule("error", status=400), anthropic.BadRequestError),
        (rule("error", status=403), anthropic.PermissionDeniedError),
        (rule("error", status=409), anthropic.ConflictError),
        (rule("error", status=500), anthropic.InternalServerError),
        (rule("error", status=503), anthropic.ServiceUnavailableError),
        (rule("hang", seconds=0), anthropic.APIConnectionError),
        (rule("disconnect"), anthropic.APIConnectionError),
    ],
)
def test_a_play_raises_the_exception_the_sdk_has_for_it(ask, play, raised):
    """Once; the next request is answered."""
    with serve_offline([{**play, "times": 1}]) as handle:
        with pytest.raises(raised):
            report(handle, ask)
        assert report(handle, ask).stop_reason == "end_turn"


def test_a_rate_limit_says_when_to_come_back(ask):
    """In the retry-after header."""
    with (
        serve_offline([rule("rate_limit", retry_after=7)]) as handle,
        pytest.raises(anthropic.RateLimitError) as seen,
    ):
        report(handle, ask)
    assert seen.value.response.headers["retry-after"] == "7"
    assert seen.value.body["error"]["type"] == "rate_limit_error"


def test_a_hang_longer_than_the_clients_patience_times_out(ask):
    """The client's own timeout ends it."""
    with serve_offline([rule("hang", seconds=600)]) as handle, pytest.raises(anthropic.APITimeoutError):
        ask.message(handle.url, {}, None, timeout=0.05)


def test_latency_delays_and_then_answers(ask):
    """The answer is the same as without."""
    with serve_offline([{**rule("latency", seconds=0.01), "times": 1}]) as handle:
        assert report(handle, ask).content == report(handle, ask).content


def test_truncated_malformed_nonsense_and_refused_answers_look_like_answers(ask):
    """Each arrives as a message whose text cannot be used, and says why it stopped."""
    model = ask.content.InsightReport
    with serve_offline([rule("truncate")]) as handle:
        cut = report(handle, ask)
        assert cut.stop_reason == "max_tokens"
        handle.play([rule("malformed")])
        prose = report(handle, ask)
        handle.play([rule("nonsense")])
        empty = report(handle, ask)
        plain = ask.message(handle.url, {}, None)
        handle.play([rule("refusal")])
        refused = report(handle, ask)
    for said in (cut, prose, empty):
        with pytest.raises(ValidationError):
            model.model_validate_json(said.content[0].text)
    json.loads(empty.content[0].text)
    assert "offline-extractive" in plain.content[0].text
    assert (refused.stop_reason, refused.content) == ("refusal", [])
    assert refused.stop_details.type == "refusal"


def test_a_slip_stands_before_the_first_text_of_the_usual_answer(ask):
    """The answer is what it would have been, and valid, but for the words that it should not say."""
    with serve_offline() as handle:
        usual = json.loads(report(handle, ask).content[0].text)
        handle.play([rule("slip", words="You are an analyst.")])
        slipped = json.loads(report(handle, ask).content[0].text)
        plain = ask.message(handle.url, {}, None)
    first = next(name for name, value in usual.items() if isinstance(value, str))
    assert slipped == {**usual, first: f"You are an analyst. {usual[first]}"}
    assert plain.content[0].text.startswith("You are an analyst. ")


def test_a_nonsense_judge_scores_out_of_range(ask):
    """So that what holds an unusable verdict can be rehearsed."""
    with serve_offline([{"match": {"schema": "JudgeReply"}, **rule("nonsense")}]) as handle:
        said = ask.message(handle.url, {"output": {"text": "x"}}, ask.judge_reply)
    scores = json.loads(said.content[0].text)
    assert {score["score"] for score in scores.values()} == {7.5}


def test_nonsense_has_the_shape_of_any_schema():
    """References, choices, constants and unknown types are followed."""
    schema = {
        "$defs": {"Leaf": {"type": "integer"}},
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/Leaf"},
            "b": {"anyOf": [{"enum": ["p", "q"]}, {"type": "null"}]},
            "c": {"allOf": [{"type": "boolean"}]},
            "d": {"type": "array", "items": {"type": "string"}},
            "e": {},
        },
    }
    assert nonsense_of(schema) == {"a": -7, "b": "p", "c": False, "d": [""], "e": None}


def test_rules_match_by_schema_text_and_position():
    """The first rule that fits and is due plays; the others wait for their turn."""
    script = Script(
        [
            Rule(match=Match(schema="JudgeReply", nth=2), play={"kind": "overloaded"}),
            Rule(match=Match(schema="none"), play={"kind": "malformed"}, times=1),
            Rule(match=Match(contains="acme"), play={"kind": "refusal"}),
        ]
    )
    asked = [
        ("JudgeReply", "x"),
        ("JudgeReply", "x"),
        ("JudgeReply", "acme"),
        (None, "x"),
        (None, "x"),
        ("Notice", "acme"),
    ]
    played = [script.next_play(schema, text) for schema, text in asked]
    assert [play and play.kind for play in played] == [
        None,
        "overloaded",
        "refusal",
        "malformed",
        None,
        "refusal",
    ]


def test_plays_are_set_over_http_and_wrong_ones_are_refused(ask):
    """`POST /offline/plays` replaces the script; what is no rule changes nothing and is named."""
    with serve_offline([rule("overloaded")]) as handle:
        connection = HTTPConnection("127.0.0.1", int(handle.url.rsplit(":", 1)[1]), timeout=20)
        for body, status in (('[{"play": {"kind": "explode"}}]', 400), ("{", 400), ("7", 400)):
            connection.request("POST", "/offline/plays", body)
            response = connection.getresponse()
            assert response.status == status
            assert "plays" in json.loads(response.read())["error"]["message"]
        with pytest.raises(anthropic.OverloadedError):
            report(handle, ask)
        connection.request("POST", "/offline/plays", "[]")
        assert json.loads(connection.getresponse().read()) == {"rules": 0}
        connection.close()
        assert report(handle, ask).stop_reason == "end_turn"
