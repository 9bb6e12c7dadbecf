"""Generated content: the typed, structured output of every stage.

These models are sent to the provider as JSON schemas, so field descriptions are instructions: keep them short
and keep optional fields out. `Evidence` ties every claim to an event by its number in the prompt.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field

from contracts.base import Contract

Text = Annotated[str, Field(min_length=1)]


def _keepable(number: int) -> int:
    if abs(number) >= 2**53:
        raise ValueError("a number of more than 15 digits is none that JSON keeps")
    return number


# Validators, not bounds of the schema: the schema is part of every request, and there they would be noise.
Whole = Annotated[int, AfterValidator(_keepable)]


class Evidence(Contract):
    """One event's own words."""

    event: Whole = Field(description="The event's number n in the list of events")
    quote: Text = Field(description="Words copied from that event, at most 200 characters")


class Insight(Contract):
    """One thing the events say."""

    title: Text
    finding: Text = Field(description="What the events show, with counts")
    severity: Literal["high", "medium", "low"]
    affected_events: Whole = Field(description="How many of the events show it")
    evidence: tuple[Evidence, ...] = Field(min_length=1)


class InsightReport(Contract):
    """What a batch of events says, most important first."""

    summary: Text
    insights: tuple[Insight, ...] = Field(min_length=1)


class Recommendation(Contract):
    """One thing to do about it."""

    title: Text
    action: Text = Field(description="What to do, beginning with a verb")
    rationale: Text = Field(description="Which finding it answers and what it changes")
    impact: Literal["high", "medium", "low"]
    effort: Literal["high", "medium", "low"]


class RecommendationReport(Contract):
    """What to do, most valuable first."""

    summary: Text
    recommendations: tuple[Recommendation, ...] = Field(min_length=1)


class Section(Contract):
    """A headed part of a document."""

    heading: Text
    body: Text


class SolutionDocument(Contract):
    """A solution as a document to read."""

    title: Text
    summary: Text
    sections: tuple[Section, ...] = Field(min_length=1)


class Step(Contract):
    """One step of a plan, with who does it and how they know it is done."""

    action: Text = Field(description="Begins with a verb")
    owner: Text = Field(description="A role, not a name")
    due: Text = Field(description="Relative, such as 'within 2 days'")
    done_when: Text


class ActionPlan(Contract):
    """A solution as steps to take."""

    title: Text
    goal: Text
    steps: tuple[Step, ...] = Field(min_length=1)
    risks: tuple[Text, ...]


class Metric(Contract):
    """A figure taken from the events."""

    name: Text
    value: float = Field(allow_inf_nan=False)
    unit: Text


class StructuredReport(Contract):
    """A solution as figures and findings."""

    title: Text
    summary: Text
    metrics: tuple[Metric, ...] = Field(min_length=1)
    findings: tuple[Text, ...] = Field(min_length=1)
    next_steps: tuple[Text, ...] = Field(min_length=1)


class Notice(Contract):
    """A short message to one audience."""

    subject: Text
    body: Text
    call_to_action: Text = Field(description="What the reader should do now, beginning with a verb")


class DocumentSummary(Contract):
    """A received document in brief."""

    title: Text
    summary: Text
    key_points: tuple[Text, ...] = Field(min_length=1)
    next_step: Text = Field(description="What its reader should do with it first, beginning with a verb")


class Classification(Contract):
    """Where a received document belongs and what to do with it."""

    category: Literal["complaint", "request", "incident", "report", "contract", "other"]
    reason: Text
    tags: tuple[Text, ...]
    next_step: Text = Field(description="What to do with the document, beginning with a verb")


Content = (
    InsightReport
    | RecommendationReport
    | SolutionDocument
    | ActionPlan
    | StructuredReport
    | Notice
    | DocumentSummary
    | Classification
)


GENERATED: Final[Mapping[str, type[Contract]]] = {one.__name__: one for one in get_args(Content)}
"""What an item may be, by the name that the ledger keeps with it."""
