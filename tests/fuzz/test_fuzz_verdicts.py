"""The third door: 2,500 malformed verdicts. Each is a full verdict within its range or Unscored with the reason."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from evaluation.gate import shortfalls
from evaluation.judge import JudgeCase, JudgeUnusableError, judge, read_verdict
from evaluation.rubric import DELIVERABLE_RUBRIC as RUBRIC
from evaluation.verdict import Scored, Unscored
from tests.fuzz.malformed import EACH, MANY, garbage_bytes, near

VERDICT = {name: {"score": 0.9, "reason": "It names a step."} for name in RUBRIC.thresholds}
CASE = JudgeCase("insight", "report", None, "# Fine")

texts = st.one_of(
    near(VERDICT),
    near(VERDICT),
    garbage_bytes.map(lambda raw: raw.decode(errors="replace")),
    garbage_bytes.map(lambda raw: raw.decode(errors="surrogateescape")),
)


def check(verdict):
    """A verdict that may be counted, or none with its reason."""
    if isinstance(verdict, Unscored):
        assert verdict.reason.strip()
        return
    assert isinstance(verdict, Scored)
    assert [score.criterion for score in verdict.scores] == list(RUBRIC.thresholds)
    assert all(0 <= score.score <= 1 and score.reason for score in verdict.scores)
    shortfalls(verdict, RUBRIC)


@MANY
@given(st.lists(texts, min_size=EACH, max_size=EACH))
def test_2500_malformed_verdicts_are_scored_in_full_or_unscored_with_a_reason(malformed):
    """By itself and through the judge; a judge that cannot be had is Unscored too, and a good verdict is read after."""
    for text in malformed:
        read = read_verdict(text, RUBRIC)
        check(read)

        async def answer(_, text=text):
            return text

        async def silent(_, text=text):
            raise JudgeUnusableError(text)

        assert asyncio.run(judge(CASE, RUBRIC, answer)) == read
        assert isinstance(asyncio.run(judge(CASE, RUBRIC, silent)), Unscored)


@MANY
@given(st.sampled_from(list(VERDICT)), st.floats() | st.integers() | st.booleans() | st.none())
def test_a_score_outside_its_range_is_never_a_score(name, score):
    """NaN, infinities, 1.0000001, true: the verdict is whole or it is none."""
    import json  # noqa: PLC0415

    verdict = read_verdict(json.dumps(VERDICT | {name: {"score": score, "reason": "x"}}), RUBRIC)
    is_within = not isinstance(score, bool) and isinstance(score, (int, float)) and 0 <= score <= 1
    assert isinstance(verdict, Scored if is_within else Unscored)
