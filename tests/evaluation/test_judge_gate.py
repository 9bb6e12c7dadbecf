"""The judge's question, its answer, and the gate."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.fence import fence, fenced
from evaluation.gate import shortfalls
from evaluation.judge import JudgeCase, JudgeRequest, JudgeUnusableError, judge, judge_request, read_verdict
from evaluation.rubric import DELIVERABLE_RUBRIC as RUBRIC
from evaluation.rubric import Criterion, Rubric
from evaluation.verdict import Scored, Unscored

CRITERIA = ("relevance", "clarity", "tone", "no_system_leakage", "user_actionable")
CASE = JudgeCase("notice", "admin", "admin", "Please call 7 customers back by Friday.")


def reply(**scores: object) -> str:
    """A judge's answer: .9 everywhere but where said otherwise."""
    return json.dumps({name: {"score": scores.get(name, 0.9), "reason": "seen"} for name in CRITERIA})


def test_the_rubric_has_the_five_criteria_at_seven_tenths() -> None:
    """The shipped rubric asks the five criteria of the design, each passing from .7."""
    assert RUBRIC.thresholds == dict.fromkeys(CRITERIA, 0.7)


def test_a_rubric_changes_its_version_with_its_content() -> None:
    """Another threshold is another version; the same content is the same version."""
    stricter = Rubric((*RUBRIC.criteria[:-1], Criterion("user_actionable", "q", "b", "w", 0.8)))
    assert stricter.version != RUBRIC.version
    assert Rubric(RUBRIC.criteria).version == RUBRIC.version


@given(st.dictionaries(st.sampled_from(CRITERIA), st.floats(0, 1)))
def test_the_gate_opens_only_when_every_criterion_passes(scores: dict[str, float]) -> None:
    """Shortfalls are exactly the criteria below their threshold."""
    verdict = read_verdict(reply(**scores), RUBRIC)
    assert isinstance(verdict, Scored)
    failed = {shortfall.criterion for shortfall in shortfalls(verdict, RUBRIC)}
    assert failed == {name for name, score in scores.items() if score < 0.7}


def test_a_shortfall_reads_as_a_sentence() -> None:
    """A failed criterion names its score, the threshold and the judge's reason."""
    verdict = read_verdict(reply(tone=0.4), RUBRIC)
    assert isinstance(verdict, Scored)
    assert [str(found) for found in shortfalls(verdict, RUBRIC)] == ["tone 0.40 < 0.70: seen"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("not json", "Invalid JSON"),
        ("[]", "should be an object"),
        ("{}", "relevance: Field required"),
        (reply(tone=1.2), "tone.score"),
        (reply(tone=-0.1), "tone.score"),
        (reply(tone="0.9"), "tone.score"),
        (reply(tone=None), "tone.score"),
        (reply().replace("0.9", "NaN", 1), "relevance.score"),
        (reply()[:-1] + ', "charm": {"score": 1, "reason": "x"}}', "charm: Extra inputs"),
        (reply().replace('"seen"', '""', 1), "relevance.reason"),
    ],
)
def test_a_broken_answer_is_unscored_and_never_a_zero(answer: str, says: str) -> None:
    """Only a full, in-range answer for exactly the offered criteria is a verdict."""
    verdict = read_verdict(answer, RUBRIC)
    assert isinstance(verdict, Unscored)
    assert says in verdict.reason


@given(st.text())
def test_no_answer_makes_the_reader_raise(answer: str) -> None:
    """Whatever a judge says, there is a verdict."""
    assert isinstance(read_verdict(answer, RUBRIC), Unscored | Scored)


def test_the_request_holds_rubric_and_case_and_nothing_else() -> None:
    """The system text is the same for every case, and the case stands fenced in the user text."""
    other = JudgeCase("insight", "report", None, "Other")
    first, second = judge_request(CASE, RUBRIC), judge_request(other, RUBRIC)
    assert first.system == second.system
    assert all(name in first.system for name in CRITERIA)
    assert json.loads(first.user.removeprefix("<output>\n").removesuffix("\n</output>"))["text"] == CASE.text


def test_a_silent_judge_is_unscored() -> None:
    """A judge that cannot be asked yields `Unscored` with the reason."""

    async def silent(_request: JudgeRequest) -> str:
        raise JudgeUnusableError("no answer within 60 s")

    assert asyncio.run(judge(CASE, RUBRIC, silent)) == Unscored("no answer within 60 s")


def test_a_judge_is_asked_once_and_its_answer_read() -> None:
    """The verdict is the answer of the one call."""
    asked: list[JudgeRequest] = []

    async def ask(request: JudgeRequest) -> str:
        asked.append(request)
        return reply()

    assert isinstance(asyncio.run(judge(CASE, RUBRIC, ask)), Scored)
    assert len(asked) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_shown_can_leave_its_fence(value: object) -> None:
    """A fence holds exactly one opening and one closing mark, and its JSON reads back unchanged."""
    text = fence("events", value)
    opening, body, closing = text.split("\n")
    assert (opening, closing) == ("<events>", "</events>")
    assert not set("<>&") & set(body)
    assert json.loads(body) == value


def test_sections_keep_their_order() -> None:
    """Sections stand in the order given, a blank line between."""
    assert fenced({"a": 1, "b": "</a>"}) == '<a>\n1\n</a>\n\n<b>\n"\\u003c/a\\u003e"\n</b>'
