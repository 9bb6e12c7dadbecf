"""How a batch ends: every way a run can stop, as a state, a reason and, where it failed, a diagnosis."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from contracts.batches import Batch, BatchState, BatchWork
from ledger.batches import batch_history
from ledger.call_rules import CallHeldError
from ledger.costs import item_costs
from ledger.dead_letters import DeadLetter
from ledger.engine import Ledger
from ledger.errors import LeaseLostError, UnreadableBatchError
from ledger.transitions import Settlement, settle_batch
from ledger.work import count_attempts, count_unusable_verdicts, read_items
from tasks.diagnosing import diagnose_failure
from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.redact import redact
from tasks.diagnosis.report import Diagnosis, FailureContext, FailureReport, QualityFinding
from tasks.letters import Lost, dead_letter
from tasks.produce import GateClosedError, GenerationError, JudgeOutageError
from tasks.runtime import Runtime
from tasks.settings import Settings
from tasks.stages.context import NothingToSayError


class SolutionsExhaustedError(Exception):
    """The tenant's solution throttle is spent; `resume_at` is when enough of its window is free again."""

    def __init__(self, tenant: str, resume_at: datetime) -> None:
        super().__init__(
            f"'{tenant}' has used its solutions of the window; resumes at {resume_at:%Y-%m-%d %H:%M} UTC"
        )
        self.resume_at = resume_at


KNOWN: Final = (NothingToSayError, UnreadableBatchError)
"""What says itself why it is so: no model is asked."""

LONGEST_HOLD: Final = timedelta(hours=1)
MOST_DOUBLINGS: Final = 12


@dataclass(frozen=True)
class Outcome:
    """Where a run left its batch. `diagnosis` is there when it failed."""

    batch: Batch
    state: BatchState
    reason: str
    diagnosis: Diagnosis | None = None
    deliverables: int = 0
    brief: str | None = None

    @property
    def shown(self) -> str:
        """What Prefect is told: the reason, without the words of people where it quotes them."""
        return self.brief or self.reason


@dataclass(frozen=True)
class _Stop:
    """What an error means for its batch."""

    state: BatchState
    resume_after: timedelta | None = None
    resume_at: datetime | None = None
    hold: str | None = None


def worst(errors: list[BaseException]) -> BaseException:
    """The error that decides: a fault before a lost generation, that before a closed gate, that before a wait."""
    order = (GenerationError, GateClosedError, JudgeOutageError, CallHeldError)
    ranks = {kind: rank for rank, kind in enumerate(order, start=1)}
    return min(errors, key=lambda error: ranks.get(type(error), 0))


async def settle_failure(work: BatchWork, stage: str, error: Exception, runtime: Runtime) -> Outcome:
    """Write down why a run stopped: state, reason, diagnosis and, for what is dead, its letter.

    A lease that was lost in the meantime means that another worker has the batch: nothing is written.
    """
    if isinstance(error, LeaseLostError):
        return Outcome(work.batch, BatchState.RUNNING, str(error))
    attempts = await runtime.in_ledger(_attempts, work, error)
    stop = _meaning(error, attempts, runtime.settings)
    context = _failure_context(work, stage, error, attempts, runtime)
    report = describe_failure(error, context)
    now = runtime.clock()
    resume_at = stop.resume_at or (now + stop.resume_after if stop.resume_after else None)
    diagnosis = None
    if stop.state is not BatchState.PENDING:
        # What will pass, or is known, rules explain; no model is paid to find it out.
        by_model = stop.state is not BatchState.HELD and not isinstance(error, KNOWN)
        diagnosis = await diagnose_failure(error, context, work, runtime, by_model=by_model)
    letter = None
    if stop.state is BatchState.DEAD:
        letter = await _letter(work, report, error, diagnosis, context, runtime)
    reason = (
        redact(error.told, runtime.settings.secrets) if isinstance(error, GateClosedError) else report.message
    )
    reason = reason or report.error
    kept = diagnosis.model_dump(mode="json") if diagnosis else None
    end = Settlement(stop.state, reason, resume_at, stop.hold, kept, letter)
    try:
        await runtime.in_ledger(settle_batch, work.batch.id, work.lease, end, now)
    except LeaseLostError as lost:
        return Outcome(work.batch, BatchState.RUNNING, str(lost))
    brief = str(error) if isinstance(error, GateClosedError) else None
    return Outcome(work.batch, stop.state, reason, diagnosis, brief=brief)


def _meaning(error: Exception, attempts: int, settings: Settings) -> _Stop:
    match error:
        case SolutionsExhaustedError(resume_at=at):
            return _Stop(BatchState.PENDING, resume_at=at)
        case CallHeldError(hold=hold, resume_at=at):
            return _Stop(BatchState.HELD, resume_at=at, hold=hold)
        case JudgeOutageError():
            return _Stop(BatchState.HELD, resume_after=_longer_each_time(settings.hold, attempts))
        case GenerationError() if error.may_pass and attempts < settings.message_attempts:
            return _Stop(BatchState.HELD, resume_after=settings.hold)
        case GateClosedError() | NothingToSayError():
            return _Stop(BatchState.FAILED)
        case _:
            return _Stop(BatchState.DEAD)


def _longer_each_time(hold: timedelta, unusable: int) -> timedelta:
    """Twice as long for each verdict that was paid for and unusable, an hour at most."""
    doublings = min(unusable - 1, MOST_DOUBLINGS)
    return max(hold, min(hold * (1 << doublings), LONGEST_HOLD))


def _attempts(ledger: Ledger, work: BatchWork, error: Exception) -> int:
    """The requests for the item that came to nothing; for any other error, how often the batch was run."""
    if isinstance(error, GenerationError):
        return max(1, count_attempts(ledger, work.batch.id, error.item))
    if isinstance(error, JudgeOutageError):
        return max(1, count_unusable_verdicts(ledger, work.batch.id, error.item))
    return sum(move.to_state is BatchState.RUNNING for move in batch_history(ledger, work.batch.id))


def _failure_context(
    work: BatchWork, stage: str, error: Exception, attempts: int, runtime: Runtime
) -> FailureContext:
    batch = work.batch
    return FailureContext(
        stage=stage,
        batch=batch.id,
        tenant=batch.tenant,
        level=str(batch.level),
        scope=str(batch.scope),
        attempts=attempts,
        findings=_findings(error) if isinstance(error, GateClosedError) else (),
        secrets=runtime.settings.secrets,
    )


def _findings(error: GateClosedError) -> tuple[QualityFinding, ...]:
    return tuple(
        QualityFinding(error.item, found.criterion, found.score, found.threshold, found.reason)
        for found in error.findings
    )


async def _letter(
    work: BatchWork,
    report: FailureReport,
    error: Exception,
    diagnosis: Diagnosis | None,
    context: FailureContext,
    runtime: Runtime,
) -> DeadLetter:
    spent = await runtime.in_ledger(item_costs, work.batch.id)
    items = await runtime.in_ledger(read_items, work.batch.id)
    failed = error if isinstance(error, GenerationError) else None
    unread = error.stored if isinstance(error, UnreadableBatchError) else ()
    lost = Lost(
        payload={"events": [*(event.model_dump(mode="json") for event in work.events), *unread]},
        verdicts={item.item: item.scores for item in items if item.scores},
        spent=sum(spent.values(), Decimal(0)),
        begun=work.batch.created_at,
        prompt=failed.prompt if failed else None,
    )
    # The provider's name for the error says more than the type that carries it.
    named = replace(report, error=failed.failure.error) if failed else report
    return dead_letter(lost, named, context, diagnosis, runtime)
