from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import content
from contracts.attachments import Attachment, Findings
from contracts.base import Contract
from contracts.batches import Batch, BatchState, BatchWork, Scope
from contracts.events import Event, Kind, Priority
from flows.pipelines import PIPELINES, UnknownPipelineError, pipeline_named
from tasks.stages.base import BatchContext, Item, ItemSpec, StageOptions
from tasks.stages.context import NothingToSayError, validated_context

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OPTIONS = StageOptions(
    2, ("document", "action_plan", "structured_report"), ("admin", "team_lead", "end_user")
)
BATCH = Batch(
    id="b-1",
    scope=Scope.USER,
    tenant="acme",
    user="u-7",
    level=Priority.HIGH,
    pipeline="insights",
    state=BatchState.RUNNING,
    size=2,
    tokens=40,
    created_at=NOW,
)


def event(number: int, text: str, **data: Any) -> Event:
    """A feedback event with `text`."""
    return Event(
        id=f"e-{number}",
        source="app",
        type=Kind.FEEDBACK,
        time=NOW if number % 2 else None,
        tenant="acme",
        user="u-7",
        priority=Priority.HIGH,
        feature="support",
        topic="phones",
        data={"text": text, **data},
    )


def context(*texts: str) -> BatchContext:
    """A validated context over events with these texts."""
    events = tuple(event(number, text) for number, text in enumerate(texts, start=1))
    return validated_context(BatchWork(batch=BATCH, events=events, lease="l"))


REPLIES: dict[type[Contract], Contract] = {
    content.InsightReport: content.InsightReport(
        summary="S",
        insights=(
            content.Insight(
                title="T",
                finding="F",
                severity="low",
                affected_events=1,
                evidence=(content.Evidence(event=1, quote="q"),),
            ),
        ),
    ),
    content.RecommendationReport: content.RecommendationReport(
        summary="S",
        recommendations=tuple(
            content.Recommendation(title=f"R{n}", action="Do", rationale="R", impact="low", effort="low")
            for n in range(3)
        ),
    ),
    content.SolutionDocument: content.SolutionDocument(
        title="Doc", summary="Sum", sections=(content.Section(heading="H", body="B"),)
    ),
    content.ActionPlan: content.ActionPlan(
        title="Plan",
        goal="Goal",
        steps=(content.Step(action="A", owner="O", due="D", done_when="W"),),
        risks=(),
    ),
    content.StructuredReport: content.StructuredReport(
        title="Rep",
        summary="Sum",
        metrics=(content.Metric(name="n", value=1, unit="events"),),
        findings=("F",),
        next_steps=("N",),
    ),
    content.Notice: content.Notice(subject="S", body="B", call_to_action="Call"),
    content.DocumentSummary: content.DocumentSummary(
        title="T", summary="S", key_points=("K",), next_step="File"
    ),
    content.Classification: content.Classification(
        category="other", reason="R", tags=("t",), next_step="File it"
    ),
}


def passed(specs: tuple[ItemSpec, ...]) -> tuple[Item, ...]:
    """Every spec answered and judged well."""
    return tuple(Item(spec, REPLIES[spec.output], {"tone": 0.9}) for spec in specs)


def walk(pipeline: str, start: BatchContext) -> BatchContext:
    """The context after every stage of a pipeline."""
    for stage in PIPELINES[pipeline].stages:
        start = start.with_items(passed(stage.plan(start, OPTIONS)))
    return start


def test_the_insights_pipeline_makes_what_the_business_asks_for() -> None:
    """Two recommendations in three forms each, a notice an audience, each notice edited: fourteen items."""
    items = walk("insights", context("Phones ring out", "Nobody answers")).items
    stages = [item.spec.stage for item in items]
    assert {stage: stages.count(stage) for stage in stages} == {
        "insights": 1,
        "recommendations": 1,
        "solutions": 6,
        "notices": 3,
        "editorial": 3,
    }


def test_item_names_are_unique_in_a_batch() -> None:
    """An item's name is its identity over restarts."""
    names = [item.spec.name for item in walk("insights", context("Phones ring out")).items]
    assert len(set(names)) == len(names)


def test_the_draft_of_a_notice_is_judged_but_never_delivered() -> None:
    """Only the editor's version leaves."""
    items = walk("insights", context("Phones ring out")).items
    assert {item.spec.stage for item in items if not item.spec.is_delivered} == {"notices"}


def test_only_solutions_draw_on_the_solution_throttle() -> None:
    """One stage reserves, and it is the one the throttle is about."""
    reserving = [
        stage.name for pipeline in PIPELINES.values() for stage in pipeline.stages if stage.reserves_solutions
    ]
    assert reserving == ["solutions"]


def test_every_document_is_summarised_then_classified() -> None:
    """The documents pipeline makes two items a document, the second from the first."""
    items = walk("documents", context("Complaint\nThe parcel was wet.", "Short")).items
    assert [item.spec.name for item in items] == ["summarise.1", "summarise.2", "classify.1", "classify.2"]
    assert items[0].spec.sections["document"] == {"title": "Complaint", "text": "The parcel was wet."}
    assert items[1].spec.sections["document"] == {"title": "Short", "text": "Short"}
    assert items[2].spec.sections["summary"]["title"] == "T"


def test_a_prompt_shows_events_with_their_number_and_cut_to_size() -> None:
    """Events are numbered from 1, dated where they have a date, and never longer than the limit."""
    shown = context("a" * 9_000, "short one").shown
    assert [entry["n"] for entry in shown] == [1, 2]
    assert [entry["when"] for entry in shown] == ["2026-11-20", None]
    assert len(shown[0]["text"]) == 4_000


@pytest.mark.parametrize("texts", [("",), ("..", "!?"), ("ok", "👍")])
def test_a_batch_without_content_is_not_paid_for(texts: tuple[str, ...]) -> None:
    """Where no event says anything, nothing is generated."""
    with pytest.raises(NothingToSayError, match=f"none of the {len(texts)} events"):
        context(*texts)


def test_an_unknown_pipeline_is_refused_by_name() -> None:
    """The message lists the pipelines there are."""
    with pytest.raises(
        UnknownPipelineError, match="no pipeline is called 'x'; there are insights, documents"
    ):
        pipeline_named("x")


def test_a_stage_is_told_whose_events_these_are() -> None:
    """The assignment names tenant, user, scope, level, form and audience."""
    assert context("Phones ring out").assignment("notices", "admin", "admin") == {
        "tenant": "acme",
        "user": "u-7",
        "scope": "user",
        "level": "HIGH",
        "stage": "notices",
        "form": "admin",
        "audience": "admin",
    }


def test_batches_are_called_by_whose_they_are() -> None:
    """A batch's label names tenant, level and id, and never the user: it names runs where nothing is erased."""
    assert BATCH.label == "acme / one user / HIGH / b-1"


def attached(of: Event, number: int, text: str) -> Attachment:
    """A file of the event, in which that was read."""
    found = Findings(
        media_type="application/pdf",
        size=1,
        sha256="",
        details={"title": "key sk-ant-api03-abcdefghijklmnopqrstuvwxyz"},
        text=text,
        thumbnail="",
        marked="",
    )
    whose = {"tenant": of.tenant, "source": of.source, "event": of.id, "name": "of Ann.pdf"}
    given = {"bucket": "b", "key": "k", "version": "v", "is_versioned": True, "stored_at": NOW}
    return Attachment(id=f"a-{of.id}-{number}", **whose, **given, findings=found)


def test_files_are_shown_as_far_as_there_is_room() -> None:
    """2,000 characters of each and 40,000 of a batch, the first events' first: their tokens count nowhere else."""
    events = tuple(event(number, "late") for number in range(1, 9))
    files = [attached(one, number, "w" * 9_000) for one in events for number in range(5)]
    shown = validated_context(BatchWork(batch=BATCH, events=events, lease="l"), files).shown
    lengths = [len(one["text"]) for entry in shown for one in entry["attachments"]]
    assert lengths == [2_000] * 20 + [0] * 20
    assert "sk-ant" not in str(shown)
    assert "of Ann" not in str(shown)


def test_without_files_events_are_shown_as_ever() -> None:
    """A prompt that was paid for stays the same."""
    work = BatchWork(batch=BATCH, events=(event(1, "late"),), lease="l")
    assert validated_context(work) == validated_context(work, [attached(event(2, ""), 1, "other's")])
    assert "attachments" not in validated_context(work).shown[0]


def test_a_file_alone_has_something_to_say() -> None:
    """A ticket may be a screenshot."""
    silent = event(1, "")
    work = BatchWork(batch=BATCH, events=(silent,), lease="l")
    assert validated_context(work, [attached(silent, 1, "Error 42")]).shown
    with pytest.raises(NothingToSayError):
        validated_context(work, [attached(silent, 1, "")])
