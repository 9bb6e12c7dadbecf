"""Editorial: every notice as it will be sent."""

from contracts.content import Notice
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages import notices
from tasks.stages.base import BatchContext, ItemSpec, Stage, StageOptions, as_json

NAME = "editorial"


def plan(context: BatchContext, _options: StageOptions) -> tuple[ItemSpec, ...]:
    """The edited version of each draft."""
    return tuple(
        ItemSpec(
            name=f"{NAME}.{draft.spec.form}",
            stage=NAME,
            kind=DeliverableKind.NOTICE,
            form=draft.spec.form,
            audience=draft.spec.audience,
            prompt=load_prompt("editorial"),
            sections={
                "assignment": context.assignment(NAME, draft.spec.form, draft.spec.audience),
                "draft": as_json(draft.content),
            },
            output=Notice,
        )
        for draft in context.from_stage(notices.NAME)
    )


STAGE = Stage(NAME, plan)
