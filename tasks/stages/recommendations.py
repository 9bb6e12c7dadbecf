"""Recommendations: what to do about the insights."""

from contracts.content import RecommendationReport
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages import insights
from tasks.stages.base import BatchContext, ItemSpec, Stage, StageOptions, as_json

NAME = "recommendations"


def plan(context: BatchContext, _options: StageOptions) -> tuple[ItemSpec, ...]:
    """One list, the most valuable first."""
    (found,) = context.from_stage(insights.NAME)
    return (
        ItemSpec(
            name=NAME,
            stage=NAME,
            kind=DeliverableKind.RECOMMENDATION,
            form="list",
            audience=None,
            prompt=load_prompt("recommendations"),
            sections={
                "assignment": context.assignment(NAME, "list"),
                "insights": as_json(found.content),
                "events": context.shown,
            },
            output=RecommendationReport,
        ),
    )


STAGE = Stage(NAME, plan)
