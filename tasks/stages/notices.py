"""Notices: a draft message to each audience."""

from contracts.base import Contract
from contracts.content import Notice
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages import insights, recommendations, solutions
from tasks.stages.base import BatchContext, Item, ItemSpec, Stage, StageOptions, as_json

NAME = "notices"


def plan(context: BatchContext, options: StageOptions) -> tuple[ItemSpec, ...]:
    """One draft an audience; the editor's version is what is delivered."""
    (found,) = context.from_stage(insights.NAME)
    (advised,) = context.from_stage(recommendations.NAME)
    prepared = [_brief(item) for item in context.from_stage(solutions.NAME)]
    return tuple(
        ItemSpec(
            name=f"{NAME}.{audience}",
            stage=NAME,
            kind=DeliverableKind.NOTICE,
            form=audience,
            audience=audience.replace("_", " "),
            prompt=load_prompt("notice"),
            sections={
                "assignment": context.assignment(NAME, audience, audience.replace("_", " ")),
                "insights": as_json(found.content),
                "recommendations": as_json(advised.content),
                "solutions": prepared,
                "events": context.shown,
            },
            output=Notice,
            is_delivered=False,
        )
        for audience in options.audiences
    )


def _brief(item: Item) -> dict[str, str]:
    content: Contract = item.content
    return {
        "form": item.spec.form,
        "title": getattr(content, "title", ""),
        "summary": getattr(content, "summary", "") or getattr(content, "goal", ""),
    }


STAGE = Stage(NAME, plan)
