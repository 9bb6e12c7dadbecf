"""Solutions: the top recommendations worked out as documents, action plans and structured reports."""

from contracts.base import Contract
from contracts.content import ActionPlan, RecommendationReport, SolutionDocument, StructuredReport
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages import insights, recommendations
from tasks.stages.base import BatchContext, ItemSpec, Stage, StageOptions, as_json

NAME = "solutions"

_OUTPUTS: dict[str, type[Contract]] = {
    "document": SolutionDocument,
    "action_plan": ActionPlan,
    "structured_report": StructuredReport,
}


def plan(context: BatchContext, options: StageOptions) -> tuple[ItemSpec, ...]:
    """Every chosen form of each of the top recommendations."""
    (found,) = context.from_stage(insights.NAME)
    (advised,) = context.from_stage(recommendations.NAME)
    assert isinstance(advised.content, RecommendationReport)  # noqa: S101 - the stage's declared output
    top = advised.content.recommendations[: options.top_recommendations]
    return tuple(
        ItemSpec(
            name=f"{NAME}.{rank}.{form}",
            stage=NAME,
            kind=DeliverableKind.SOLUTION,
            form=form,
            audience=None,
            prompt=load_prompt(f"solution_{form}"),
            sections={
                "assignment": context.assignment(NAME, form),
                "recommendation": as_json(recommendation),
                "insights": as_json(found.content),
                "events": context.shown,
            },
            output=_OUTPUTS[form],
        )
        for rank, recommendation in enumerate(top, start=1)
        for form in options.solution_forms
    )


STAGE = Stage(NAME, plan, reserves_solutions=True)
