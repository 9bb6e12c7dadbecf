"""Kill switches: what operators have paused, in force for every process from the next call on.

A pause names a stage (or `all`) and perhaps a tenant. Calls under way finish and are kept; no call begins, and
the batch that wanted it is HELD until the pause ends.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select

from ledger.control_tables import pauses
from ledger.engine import Ledger
from ledger.signals import signal
from ledger.sql import reading, writing

ALL: Final = "all"
DELIVERY: Final = "delivery"
"""The stage after all others: what was made leaves."""

_ANY_TENANT: Final = ""
_IN_FORCE: Final = (
    select(pauses)
    .where(
        (pauses.c.stage == ALL) | (pauses.c.stage == bindparam("at_stage")),
        (pauses.c.tenant == _ANY_TENANT) | (pauses.c.tenant == bindparam("of_tenant")),
    )
    .order_by(pauses.c.tenant, pauses.c.stage != ALL)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Switch:
    """What is paused: a stage or `ALL`, of one tenant or of every one."""

    stage: str
    tenant: str | None = None

    def __str__(self) -> str:
        """`solutions` or `solutions@acme`."""
        return self.stage if self.tenant is None else f"{self.stage}@{self.tenant}"

    @classmethod
    def parse(cls, text: str) -> "Switch":
        """The switch that reads as `text`; one of a tenant without a name is no switch, and its stage stays so."""
        stage, at, tenant = text.partition("@")
        if at and not tenant.strip():
            return cls(text.strip())
        return cls(stage.strip(), tenant.strip() or None)


@dataclass(frozen=True, slots=True)
class Pause:
    """A switch that is thrown, since when and why."""

    switch: Switch
    reason: str
    at: datetime


def pause(ledger: Ledger, switch: Switch, reason: str, now: datetime) -> bool:
    """Throw the switch; False if it was thrown before, whose reason stays."""
    with writing(ledger, "pauses") as connection:
        return pause_within(connection, switch, reason, now)


def resume(ledger: Ledger, switch: Switch, now: datetime) -> bool:
    """Let work go on; False if it was not paused. Other pauses that cover the same work stay in force."""
    with writing(ledger, "pauses") as connection:
        return resume_within(connection, switch, now)


def read_pauses(ledger: Ledger) -> tuple[Pause, ...]:
    """Everything that is paused, longest first."""
    with reading(ledger) as connection:
        return pauses_within(connection)


def pause_in_force(connection: Connection, stage: str, tenant: str) -> Pause | None:
    """The pause that stands in the way of this stage for this tenant, the widest first; None if it may run."""
    row = connection.execute(_IN_FORCE, {"at_stage": stage, "of_tenant": tenant}).first()
    return None if row is None else Pause(Switch(row.stage, row.tenant or None), row.reason, row.at)


def is_thrown(connection: Connection, switch: Switch) -> bool:
    """True when this very switch is thrown; a wider one does not count."""
    return connection.execute(select(pauses.c.at).where(*_is(switch))).first() is not None


def pauses_within(connection: Connection) -> tuple[Pause, ...]:
    """As `read_pauses`, inside the caller's transaction."""
    rows = connection.execute(select(pauses).order_by(pauses.c.at, pauses.c.stage, pauses.c.tenant))
    return tuple(Pause(Switch(row.stage, row.tenant or None), row.reason, row.at) for row in rows)


def pause_within(connection: Connection, switch: Switch, reason: str, now: datetime) -> bool:
    """As `pause`, inside the caller's transaction."""
    if is_thrown(connection, switch):
        return False
    values = {"stage": switch.stage, "tenant": switch.tenant or _ANY_TENANT, "reason": reason, "at": now}
    connection.execute(insert(pauses).values(values))
    signal(connection, "stage.paused", str(switch), {"switch": str(switch), "reason": reason}, now)
    return True


def resume_within(connection: Connection, switch: Switch, now: datetime) -> bool:
    """As `resume`, inside the caller's transaction."""
    if not connection.execute(delete(pauses).where(*_is(switch))).rowcount:
        return False
    signal(connection, "stage.resumed", str(switch), {"switch": str(switch)}, now)
    return True


def _is(switch: Switch) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return pauses.c.stage == switch.stage, pauses.c.tenant == (switch.tenant or _ANY_TENANT)
