"""The dead letter of an attachment that is not taken: what it is, why, and what to do."""

from datetime import datetime
from decimal import Decimal

from contracts.attachments import Attachment
from ledger.attachments import STAGE
from ledger.dead_letters import DeadLetter
from ledger.erased_attachments import letter_of
from tasks.attachments.refusals import RefusedAttachmentError
from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.report import FailureContext
from tasks.diagnosis.rules import diagnose_by_rules


def letter_about(
    refused: Attachment, why: RefusedAttachmentError, attempts: int, begun: datetime, now: datetime
) -> DeadLetter:
    """The letter; `attempts` are deliveries of the message that told of it."""
    context = FailureContext(STAGE, "-", refused.tenant, "-", "-", attempts)
    report = describe_failure(why, context)
    diagnosis = diagnose_by_rules(report)
    return DeadLetter(
        id=letter_of(refused.id),
        batch=None,
        stage=STAGE,
        tenant=refused.tenant,
        error=report.error,
        message=report.message,
        traceback="",
        prompt=None,
        diagnosis=diagnosis.model_dump(mode="json") if diagnosis else {},
        cost_usd=Decimal(0),
        attempts=attempts,
        at=now,
        payload={"attachment": refused.model_dump(mode="json")},
        verdicts={},
        started_at=begun,
    )
