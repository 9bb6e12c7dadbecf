"""When batches close and how large they may be: the values an operator sets.

The rule that uses them is `tasks.batching`.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.batches import Scope
from contracts.events import Priority


def _seconds(value: object) -> object:
    """Text that is a number is seconds, as a number is: the environment knows only text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Age = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0), le=timedelta(days=3650))]


class Setting(BaseModel):
    """Frozen and closed; a wrong value is a ValidationError that names it (`tenant.high.threshold`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LevelPolicy(Setting):
    """When a level closes: at `threshold` events (>= 1), or at `max_age` of its oldest (0 to 3650 days)."""

    threshold: int = Field(ge=1)
    max_age: Age


class ScopePolicy(Setting):
    """The three levels of a scope."""

    high: LevelPolicy
    medium: LevelPolicy
    low: LevelPolicy

    def at(self, level: Priority) -> LevelPolicy:
        """The policy of `level`."""
        return {Priority.HIGH: self.high, Priority.MEDIUM: self.medium, Priority.LOW: self.low}[level]


def _levels(high: int, medium: int, low: int) -> ScopePolicy:
    return ScopePolicy(
        high=LevelPolicy(threshold=high, max_age=timedelta(minutes=5)),
        medium=LevelPolicy(threshold=medium, max_age=timedelta(hours=1)),
        low=LevelPolicy(threshold=low, max_age=timedelta(hours=24)),
    )


class BatchPolicy(Setting):
    """When batches close, per scope and level, and how large one may be (events, estimated tokens)."""

    tenant: ScopePolicy = _levels(high=10, medium=25, low=100)
    user: ScopePolicy = _levels(high=3, medium=5, low=20)
    max_events: int = Field(default=50, ge=1)
    max_tokens: int = Field(default=60_000, ge=1)

    def of(self, scope: Scope) -> ScopePolicy:
        """The levels of `scope`."""
        return self.tenant if scope is Scope.TENANT else self.user


def closing_now(policy: BatchPolicy) -> BatchPolicy:
    """The same policy with every age zero: an event that is in no batch yet of a scope closes at once."""
    return policy.model_copy(update={"tenant": _ageless(policy.tenant), "user": _ageless(policy.user)})


def _ageless(levels: ScopePolicy) -> ScopePolicy:
    zero = {"max_age": timedelta(0)}
    return ScopePolicy(**{name: level.model_copy(update=zero) for name, level in levels})
