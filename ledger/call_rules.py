"""What must hold for a paid call to begin: nothing pauses it, its model answers, and there is budget for a retry."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from contracts.calls import CallIdentity
from ledger.breakers import BreakerRules, admit
from ledger.errors import LedgerError
from ledger.holds import held_by_model, held_by_pause
from ledger.pauses import pause_in_force
from ledger.tables import model_calls


class CallHeldError(LedgerError):
    """A call may not begin now. The batch is HELD by `hold` until that is over, or until `resume_at`."""

    def __init__(self, reason: str, *, hold: str | None = None, resume_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.hold = hold
        self.resume_at = resume_at


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Of the calls a model gets in `window`, at most `share`, and `least` in any case, may be retries.

    Over all stages and processes: when everything fails, retries would otherwise multiply the load by four.
    """

    share: float = 0.2
    least: int = 20
    window: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CallRules:
    """The operator's rules for paid calls."""

    breaker: BreakerRules = field(default_factory=BreakerRules)
    retries: RetryBudget = field(default_factory=RetryBudget)


DEFAULT_RULES: Final = CallRules()


def check_call(connection: Connection, identity: CallIdentity, rules: CallRules) -> None:
    """Nothing, or the CallHeldError that says what stands in the call's way, for the operator to read."""
    now, model = identity.started_at, identity.model
    if (pause := pause_in_force(connection, identity.stage, identity.tenant)) is not None:
        reason = f"{pause.switch} is paused: {pause.reason}"
        raise CallHeldError(reason, hold=held_by_pause(pause.switch))
    if identity.attempt > 1 and not _has_budget(connection, model, rules.retries, now):
        resume_at = now + rules.retries.window
        raise CallHeldError(
            f"too many calls of {model} had to be repeated; they wait a while", resume_at=resume_at
        )
    if (breaker := admit(connection, model, identity.id, rules.breaker, now)) is not None:
        reason = f"{model} does not answer ({breaker.reason}); its breaker is {breaker.state}"
        raise CallHeldError(reason, hold=held_by_model(model))


def _has_budget(connection: Connection, model: str, budget: RetryBudget, now: datetime) -> bool:
    # What a clock that was set back puts into the future counts for nobody.
    begun = (model_calls.c.started_at > now - budget.window) & (model_calls.c.started_at <= now)
    query = select(func.count(), func.count().filter(model_calls.c.attempt > 1)).where(
        begun, model_calls.c.model == model
    )
    calls, retries = connection.execute(query).one()
    return bool(retries < max(budget.least, budget.share * calls))
