"""Circuit breakers: one a model, shared by every process (Nygard, Release It!, "Circuit Breaker").

CLOSED lets calls through. So many failures one after another open it: no call begins until `retry_at`. Then one
call is elected by a conditional write to be the probe (HALF_OPEN), and what becomes of it closes the breaker or
opens it for twice as long. A probe that never comes back is replaced when its time is up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from ledger.control_tables import breakers
from ledger.engine import Ledger
from ledger.signals import signal
from ledger.sql import insert_once, reading


class BreakerState(StrEnum):
    """Whether a model is called."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


_OF_MODEL: Final = select(breakers).where(breakers.c.model == bindparam("of"))


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens and for how long; a probe is given up after `probe_time`."""

    failures: int = 10
    cool_down: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=10)
    probe_time: timedelta = timedelta(minutes=5)

    def open_for(self, openings: int) -> timedelta:
        """The cool-down of the n-th opening in a row: twice as long each time, up to the longest."""
        return min(self.cool_down * (1 << min(openings - 1, 20)), self.longest)


@dataclass(frozen=True, slots=True)
class Breaker:
    """A model's breaker as it stands; `retry_at` is when the next probe may go."""

    model: str
    state: BreakerState
    failures: int
    retry_at: datetime | None
    changed_at: datetime
    reason: str


def read_breakers(ledger: Ledger) -> tuple[Breaker, ...]:
    """Every model's breaker that has ever counted a failure, by model."""
    with reading(ledger) as connection:
        rows = connection.execute(select(breakers).order_by(breakers.c.model)).all()
    return tuple(map(_breaker, rows))


def admit(
    connection: Connection, model: str, call_id: str, rules: BreakerRules, now: datetime
) -> Breaker | None:
    """None if the call may go, as the probe perhaps; else the breaker that stands in its way."""
    row = connection.execute(_OF_MODEL, {"of": model}).first()
    if row is None or row.state == BreakerState.CLOSED:
        return None
    elected = connection.execute(
        update(breakers)
        .where(breakers.c.model == model, breakers.c.state != BreakerState.CLOSED, breakers.c.retry_at <= now)
        .values(state=BreakerState.HALF_OPEN, probe=call_id, retry_at=now + rules.probe_time, changed_at=now)
    )
    if elected.rowcount:
        _tell(connection, model, "half_open", "one call is let through to see", now)
        return None
    return _breaker(row)


def count_success(connection: Connection, model: str, call_id: str, now: datetime) -> None:
    """The model answered: its failures are forgotten, and if this was the probe, calls go again."""
    row = connection.execute(_OF_MODEL, {"of": model}).first()
    if row is not None and row.failures > 0:
        _recover(connection, model, call_id, now)


def _recover(connection: Connection, model: str, call_id: str, now: datetime) -> None:
    """Forget failures where the breaker is closed, and close it where this call was its probe."""
    connection.execute(
        update(breakers)
        .where(breakers.c.model == model, breakers.c.state == BreakerState.CLOSED)
        .values(failures=0)
    )
    closed = {"state": BreakerState.CLOSED, "failures": 0, "openings": 0, "probe": None, "retry_at": None}
    reason = "the model answers again"
    if connection.execute(
        update(breakers)
        .where(
            breakers.c.model == model, breakers.c.state == BreakerState.HALF_OPEN, breakers.c.probe == call_id
        )
        .values(**closed, changed_at=now, reason=reason)
    ).rowcount:
        _tell(connection, model, "closed", reason, now)


def count_failure(
    connection: Connection, model: str, call_id: str, why: str, rules: BreakerRules, now: datetime
) -> None:
    """The model did not answer: one more failure, which may open the breaker."""
    fresh = {"state": BreakerState.CLOSED, "failures": 0, "openings": 0, "changed_at": now, "reason": ""}
    insert_once(connection, breakers, fresh | {"model": model})
    connection.execute(
        update(breakers).where(breakers.c.model == model).values(failures=breakers.c.failures + 1)
    )
    row = connection.execute(_OF_MODEL, {"of": model}).one()
    if _opens(row, call_id, rules):
        _open(connection, row, why, rules, now)


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(row.model, BreakerState(row.state), row.failures, row.retry_at, row.changed_at, row.reason)


def _opens(row: Row[Any], call_id: str, rules: BreakerRules) -> bool:
    if row.state == BreakerState.CLOSED:
        return bool(row.failures >= rules.failures)
    return bool(row.state == BreakerState.HALF_OPEN and row.probe == call_id)


def _open(connection: Connection, row: Row[Any], why: str, rules: BreakerRules, now: datetime) -> None:
    openings = row.openings + 1
    opened = {
        "openings": openings,
        "probe": None,
        "changed_at": now,
        "retry_at": now + rules.open_for(openings),
    }
    still = or_(breakers.c.probe == row.probe, breakers.c.probe.is_(None))
    if connection.execute(
        update(breakers)
        .where(breakers.c.model == row.model, breakers.c.state == row.state, still)
        .values(**opened, state=BreakerState.OPEN, reason=why)
    ).rowcount:
        _tell(connection, row.model, "opened", why, now)


def _tell(connection: Connection, model: str, what: str, why: str, now: datetime) -> None:
    signal(connection, f"breaker.{what}", model, {"model": model, "reason": why}, now)
