"""The documents pipeline: summarise each received document, then classify it."""

from collections.abc import Mapping
from typing import Any

from contracts.content import Classification, DocumentSummary
from contracts.deliverables import DeliverableKind
from tasks.prompts import load_prompt
from tasks.stages.base import BatchContext, ItemSpec, Stage, StageOptions, as_json


def plan_summaries(context: BatchContext, _options: StageOptions) -> tuple[ItemSpec, ...]:
    """One summary a document."""
    return tuple(
        ItemSpec(
            name=f"summarise.{shown['n']}",
            stage="summarise",
            kind=DeliverableKind.SUMMARY,
            form="summary",
            audience=None,
            prompt=load_prompt("summarise"),
            sections={
                "assignment": context.assignment("summarise", "summary"),
                "document": _document(shown),
            },
            output=DocumentSummary,
            event=shown["n"],
        )
        for shown in context.shown
    )


def plan_classifications(context: BatchContext, _options: StageOptions) -> tuple[ItemSpec, ...]:
    """One classification a document, made from it and its summary."""
    return tuple(
        ItemSpec(
            name=f"classify.{shown['n']}",
            stage="classify",
            kind=DeliverableKind.CLASSIFICATION,
            form="classification",
            audience=None,
            prompt=load_prompt("classify"),
            sections={
                "assignment": context.assignment("classify", "classification"),
                "document": _document(shown),
                "summary": as_json(summary.content),
            },
            output=Classification,
            event=shown["n"],
        )
        for shown, summary in zip(context.shown, context.from_stage("summarise"), strict=True)
    )


def _document(shown: Mapping[str, Any]) -> dict[str, Any]:
    title, _, rest = shown["text"].partition("\n")
    return {"title": title, "text": rest or title}


SUMMARISE = Stage("summarise", plan_summaries)
CLASSIFY = Stage("classify", plan_classifications)
