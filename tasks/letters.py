"""Dead letters: all that is known of a failure, in one entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ledger.dead_letters import DeadLetter
from tasks.diagnosis.redact import redact, redact_within
from tasks.diagnosis.report import Diagnosis, FailureContext, FailureReport
from tasks.runtime import Runtime


@dataclass(frozen=True)
class Lost:
    """What was being worked on: the original message, its scores and cost so far, and the prompt that failed."""

    payload: Mapping[str, Any]
    verdicts: Mapping[str, Mapping[str, float]]
    spent: Decimal
    begun: datetime
    prompt: str | None = None


def dead_letter(
    lost: Lost, report: FailureReport, context: FailureContext, diagnosis: Diagnosis | None, runtime: Runtime
) -> DeadLetter:
    """The letter of a failure, without secrets in the message and the prompt."""
    return DeadLetter(
        id=f"x-{runtime.new_id()[:20]}",
        batch=context.batch,
        stage=report.stage,
        tenant=context.tenant,
        error=report.error,
        message=report.message,
        traceback=report.traceback,
        prompt=None if lost.prompt is None else redact(lost.prompt, context.secrets),
        diagnosis=diagnosis.model_dump(mode="json") if diagnosis else {},
        cost_usd=lost.spent,
        attempts=context.attempts,
        at=runtime.clock(),
        payload=redact_within(lost.payload, context.secrets),
        verdicts=dict(lost.verdicts),
        started_at=lost.begun,
    )
