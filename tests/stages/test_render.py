import pytest

from contracts import content
from contracts.base import Contract
from tasks.render import markdown, title_of

EVIDENCE = content.Evidence(event=3, quote="waited 40 minutes")
INSIGHT = content.Insight(
    title="Phones ring out",
    finding="7 of 23 events",
    severity="high",
    affected_events=7,
    evidence=(EVIDENCE,),
)
ADVICE = content.Recommendation(
    title="Call back", action="Offer a callback", rationale="7 of 23 waited", impact="high", effort="low"
)
STEP = content.Step(
    action="Switch on callbacks", owner="Front desk lead", due="within 2 days", done_when="it rings"
)
METRIC = content.Metric(name="waits", value=7, unit="events")

ALL: list[tuple[Contract, list[str]]] = [
    (
        content.InsightReport(summary="Phones.", insights=(INSIGHT,)),
        ["## Phones ring out", "high severity, 7 events", "> waited 40 minutes (event 3)"],
    ),
    (
        content.RecommendationReport(summary="Do it.", recommendations=(ADVICE,)),
        ["## 1. Call back", "Offer a callback", "*Why:* 7 of 23 waited", "*Impact:* high. *Effort:* low."],
    ),
    (
        content.SolutionDocument(
            title="Callbacks", summary="S.", sections=(content.Section(heading="How", body="So."),)
        ),
        ["# Callbacks", "## How", "So."],
    ),
    (
        content.ActionPlan(title="Plan", goal="Fewer waits", steps=(STEP,), risks=("Staff",)),
        ["**Goal:** Fewer waits", "1. Switch on callbacks", "Owner: Front desk lead", "## Risks", "- Staff"],
    ),
    (
        content.StructuredReport(
            title="Report", summary="S.", metrics=(METRIC,), findings=("Long waits",), next_steps=("Call",)
        ),
        ["| waits | 7 | events |", "## Findings", "- Long waits", "## Next steps", "- Call"],
    ),
    (
        content.Notice(subject="Phones", body="We heard you.", call_to_action="Book online"),
        ["# Phones", "We heard you.", "**Book online**"],
    ),
    (
        content.DocumentSummary(title="Letter", summary="S.", key_points=("One",), next_step="Answer it"),
        ["# Letter", "## Key points", "- One", "**Next step:** Answer it"],
    ),
    (
        content.Classification(category="complaint", reason="It says so.", tags=("phone",), next_step="Call"),
        ["# Category: complaint", "*Tags:* phone", "**Next step:** Call"],
    ),
]


@pytest.mark.parametrize(("made", "shown"), ALL, ids=lambda value: type(value).__name__)
def test_every_kind_of_content_reads_as_markdown(made: Contract, shown: list[str]) -> None:
    """Each generated type has a rendering that carries its facts."""
    text = markdown(made)
    assert [part for part in shown if part not in text] == []


def test_every_generated_type_is_rendered() -> None:
    """No type of generated content is left without a rendering."""
    assert {type(made) for made, _ in ALL} == set(content.Content.__args__)


def test_a_plan_without_risks_has_no_empty_heading() -> None:
    """What is not there leaves no heading behind."""
    plan = content.ActionPlan(title="Plan", goal="G", steps=(STEP,), risks=())
    assert "Risks" not in markdown(plan)


def test_one_event_is_not_many() -> None:
    """A count of one is written in the singular."""
    single = INSIGHT.model_copy(update={"affected_events": 1})
    assert "1 event*" in markdown(content.InsightReport(summary="S.", insights=(single,)))


def test_an_unknown_type_is_refused() -> None:
    """Content that nobody taught to render is an error, not an empty text."""
    with pytest.raises(TypeError, match="no markdown for Evidence"):
        markdown(EVIDENCE)


@pytest.mark.parametrize(
    ("made", "title"),
    [(ALL[2][0], "Callbacks"), (ALL[5][0], "Phones"), (ALL[0][0], "insight: report")],
)
def test_content_is_titled_by_its_own_words(made: Contract, title: str) -> None:
    """A title, else a subject, else what it is."""
    assert title_of(made, "insight: report") == title
