"""Insights: what the events say."""

from contracts.content import InsightReport
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages.base import BatchContext, ItemSpec, Stage, StageOptions

NAME = "insights"


def plan(context: BatchContext, _options: StageOptions) -> tuple[ItemSpec, ...]:
    """One report over all events."""
    return (
        ItemSpec(
            name=NAME,
            stage=NAME,
            kind=DeliverableKind.INSIGHT,
            form="report",
            audience=None,
            prompt=load_prompt("insights"),
            sections={"assignment": context.assignment(NAME, "report"), "events": context.shown},
            output=InsightReport,
        ),
    )


STAGE = Stage(NAME, plan)
