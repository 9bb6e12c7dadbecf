"""The answers: one module per family of stages, each pure from the sections of a request to a JSON object.

A function here takes `Sections` and returns what the schema of its name in `contracts.content` (or the
judge's and the debugger's) accepts. Nothing here knows HTTP; nothing here obeys the text of an event.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import orjson

from deployments.offline_model.answers.diagnosis import diagnosis
from deployments.offline_model.answers.documents import classification, document_summary
from deployments.offline_model.answers.insights import insight_report
from deployments.offline_model.answers.judge import judge_reply
from deployments.offline_model.answers.notices import notice
from deployments.offline_model.answers.phrasing import Answer
from deployments.offline_model.answers.plain import plain_summary
from deployments.offline_model.answers.recommendations import recommendation_report
from deployments.offline_model.answers.solutions import action_plan, solution_document, structured_report
from deployments.offline_model.sections import Sections, parse_sections

WRITERS: Final[dict[str, Callable[[Sections], Answer]]] = {
    "InsightReport": insight_report,
    "RecommendationReport": recommendation_report,
    "SolutionDocument": solution_document,
    "ActionPlan": action_plan,
    "StructuredReport": structured_report,
    "Notice": notice,
    "DocumentSummary": document_summary,
    "Classification": classification,
    "JudgeReply": judge_reply,
    "Diagnosis": diagnosis,
}


@lru_cache(maxsize=256)
def answer(schema: str | None, user_text: str) -> str:
    """The answer's text: JSON for a schema of `WRITERS`, prose for None. The same arguments, the same text.

    Raises:
        KeyError: for a schema that nobody writes.
    """
    sections = parse_sections(user_text)
    if schema is None:
        return plain_summary(sections)
    return orjson.dumps(WRITERS[schema](sections)).decode()
