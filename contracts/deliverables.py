"""Deliverables: what people receive, with the provenance that explains it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from contracts.base import Contract
from contracts.events import Name

DELIVERABLE_SCHEMA_VERSION: Final = "1"


class DeliverableKind(StrEnum):
    """What a deliverable is to the person who gets it."""

    INSIGHT = "insight"
    RECOMMENDATION = "recommendation"
    SOLUTION = "solution"
    NOTICE = "notice"
    SUMMARY = "summary"
    CLASSIFICATION = "classification"


class Provenance(Contract):
    """Where a deliverable comes from; `cost_usd` is generation and judgement together."""

    events: tuple[str, ...]
    prompt: str
    prompt_version: str
    rubric_version: str
    model: str
    judge_model: str
    cost_usd: float


class Deliverable(Contract):
    """A judged result. `form` tells apart deliverables of one kind (`action_plan`, `admin`)."""

    schema_version: Literal["1"] = DELIVERABLE_SCHEMA_VERSION
    id: str
    batch: str
    tenant: Name
    user: Name | None
    kind: DeliverableKind
    form: str
    title: str
    markdown: str
    content: dict[str, Any]
    scores: dict[str, float]
    provenance: Provenance
    created_at: datetime
