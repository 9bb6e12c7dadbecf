"""The fourth door: 2,500 malformed outputs of models. What is accepted can be kept, read again, shown and judged."""

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import (
    ActionPlan,
    Classification,
    DocumentSummary,
    InsightReport,
    Notice,
    RecommendationReport,
    SolutionDocument,
    StructuredReport,
)
from evaluation.judge import JudgeCase, judge_request
from evaluation.rubric import DELIVERABLE_RUBRIC
from ledger.engine import close_ledger, open_ledger
from ledger.work import Draft, read_items, store_draft
from tasks.produce import read_output
from tasks.render import markdown, title_of
from tests.conftest import NOW
from tests.fuzz.malformed import EACH, MANY, garbage_bytes, near

LEVELS = {"impact": "high", "effort": "low"}
VALID = {
    InsightReport: {
        "summary": "s",
        "insights": [
            {"title": "t", "finding": "f", "severity": "high", "affected_events": 2}
            | {"evidence": [{"event": 1, "quote": "q"}]}
        ],
    },
    RecommendationReport: {
        "summary": "s",
        "recommendations": [{"title": "t", "action": "a", "rationale": "r", **LEVELS}],
    },
    SolutionDocument: {"title": "t", "summary": "s", "sections": [{"heading": "h", "body": "b"}]},
    ActionPlan: {
        "title": "t",
        "goal": "g",
        "steps": [{"action": "a", "owner": "o", "due": "d", "done_when": "w"}],
        "risks": ["r"],
    },
    StructuredReport: {
        "title": "t",
        "summary": "s",
        "metrics": [{"name": "n", "value": 1.5, "unit": "u"}],
        "findings": ["f"],
        "next_steps": ["n"],
    },
    Notice: {"subject": "s", "body": "b", "call_to_action": "c"},
    DocumentSummary: {"title": "t", "summary": "s", "key_points": ["k"], "next_step": "n"},
    Classification: {"category": "other", "reason": "r", "tags": ["t"], "next_step": "n"},
}


@st.composite
def outputs(draw):
    """A type and a text that a model gave for it."""
    kind = draw(st.sampled_from(list(VALID)))
    garbage = garbage_bytes.map(lambda raw: raw.decode(errors="replace"))
    return kind, draw(st.one_of(near(VALID[kind]), near(VALID[kind]), garbage))


@pytest.fixture(scope="module")
def kept(sqlite_template, tmp_path_factory, fill):
    """Keeps content in a real ledger and reads it back as the next attempt of a batch would."""
    path = tmp_path_factory.mktemp("outputs") / "ledger.db"
    path.write_bytes(sqlite_template.read_bytes())
    ledger = open_ledger(f"sqlite:///{path}")
    numbers = count()

    def keep(content):
        batch, name = fill.ready(ledger, ["x"]), f"item-{next(numbers)}"
        what = {
            "stage": "insights",
            "kind": "insight",
            "form": "report",
            "output_type": type(content).__name__,
        }
        what |= {"prompt": "insights", "prompt_version": "p1", "model": "m"}
        store_draft(ledger, batch, Draft(item=name, content=content.model_dump(mode="json"), **what), NOW)
        (stored,) = read_items(ledger, batch)
        return type(content).model_validate_json(stored.content_json)

    yield keep
    close_ledger(ledger)


@MANY
@given(st.lists(outputs(), min_size=EACH, max_size=EACH))
def test_2500_malformed_outputs_are_content_that_holds_or_are_refused_with_a_reason(kept, malformed):
    """Refused by a sentence, or accepted: then it comes back from the ledger as it was, is shown and can be judged."""
    for kind, text in malformed:
        try:
            content = read_output(kind, text)
        except ValueError as refused:
            assert str(refused).startswith(f"not a {kind.__name__}: ")  # noqa: PT017 - both ways are right
            continue
        assert kept(content) == content
        shown = markdown(content)
        assert shown.strip()
        assert title_of(content, "fallback")
        case = JudgeCase("insight", "report", None, shown)
        assert judge_request(case, DELIVERABLE_RUBRIC).user.encode()


@pytest.mark.parametrize("kind", VALID, ids=lambda kind: kind.__name__)
def test_a_valid_output_of_every_stage_is_accepted(kind, kept):
    """The documents that are broken above are whole to begin with."""
    content = read_output(kind, json.dumps(VALID[kind]))
    assert kept(content) == content


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "9" * 400])
def test_a_figure_that_json_cannot_keep_is_no_figure(number):
    """Kept as null it could not be read again, and the batch would die of it on its next attempt."""
    text = json.dumps(VALID[StructuredReport]).replace("1.5", number)
    with pytest.raises(ValueError, match=r"metrics\.0\.value"):
        read_output(StructuredReport, text)


def test_a_count_beyond_what_json_keeps_is_refused():
    """Thirty digits come back from storage as another number."""
    text = json.dumps(VALID[InsightReport]).replace(": 2,", f": {'9' * 30},")
    with pytest.raises(ValueError, match="affected_events"):
        read_output(InsightReport, text)
