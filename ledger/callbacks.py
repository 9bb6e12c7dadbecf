"""Callbacks: whom to call when what was made of an event has come to its end, once, and again until they take it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, or_, select, update

from contracts.batches import FINISHED, Scope
from contracts.events import Priority
from ledger.access_tables import callbacks
from ledger.engine import Ledger
from ledger.signals import signal
from ledger.sql import Writable, insert_once, reading, writing
from ledger.tables import batch_events, batches, events

PENDING: Final = "PENDING"
SENT: Final = "SENT"
GIVEN_UP: Final = "FAILED"


@dataclass(frozen=True, slots=True)
class Callback:
    """One that is due: the event's key, whom to call, the batch that has ended. `attempts` counts this one."""

    event_key: bytes
    tenant: str
    url: str
    secret: str | None
    attempts: int
    batch: str
    state: str


@dataclass(frozen=True, slots=True)
class CallbackState:
    """How far a callback is."""

    url: str
    state: str
    attempts: int
    last_error: str | None


def ask_for_callback(
    ledger: Writable, event_key: bytes, *, tenant: str, url: str, secret: str | None, now: datetime
) -> bool:
    """Call when the event's batch has ended; False where that has been asked for before, and the first stands."""
    with writing(ledger) as connection:
        known = select(callbacks.c.state).where(callbacks.c.event_key == event_key)
        if connection.execute(known).first() is not None:
            return False
        row = {"event_key": event_key, "tenant": tenant, "url": url, "secret": secret}
        insert_once(connection, callbacks, row | {"state": PENDING, "next_at": now, "made_at": now})
    return True


def callback_state(ledger: Ledger, event_key: bytes) -> CallbackState | None:
    """How far the event's callback is; None where nobody is to be called."""
    columns = [callbacks.c[name] for name in CallbackState.__slots__]
    with reading(ledger) as connection:
        row = connection.execute(select(*columns).where(callbacks.c.event_key == event_key)).first()
    return None if row is None else CallbackState(*row)


def take_callbacks(ledger: Ledger, now: datetime, limit: int, hold_for: timedelta) -> tuple[Callback, ...]:
    """Those whose batches have ended, to be called now; nobody else gets them for `hold_for`."""
    with reading(ledger) as connection:
        if connection.execute(_due(now, 1)).first() is None:
            return ()
    with writing(ledger, "callbacks") as connection:
        rows = connection.execute(_due(now, limit)).all()
        for row in rows:
            _change(connection, row.event_key, next_at=now + hold_for, attempts=row.attempts + 1)
    return tuple(
        Callback(row.event_key, row.tenant, row.url, row.secret, row.attempts + 1, row.batch, row.batch_state)
        for row in rows
    )


def settle_callback(
    ledger: Ledger, event_key: bytes, now: datetime, error: str | None = None, next_at: datetime | None = None
) -> None:
    """Record that it was taken; or with an `error` that it was not, and when to try again, or that nobody will.

    Operators are told of what is given up.
    """
    with writing(ledger) as connection:
        if error is None:
            _change(connection, event_key, state=SENT, next_at=None, ended_at=now)
        elif next_at is not None:
            _change(connection, event_key, next_at=next_at, last_error=error)
        else:
            _change(connection, event_key, state=GIVEN_UP, next_at=None, ended_at=now, last_error=error)
            signal(connection, "callback.given_up", event_key.hex(), {"error": error}, now)


def _due(now: datetime, limit: int) -> Select[Any]:
    """By the tenant's batch of the event's own level: every event comes into one."""
    ended = batches.c.state.in_(sorted(state.value for state in FINISHED))
    own_level = [(events.c.priority == one.rank) & (batches.c.level == one.value) for one in Priority]
    return (
        select(callbacks, batches.c.id.label("batch"), batches.c.state.label("batch_state"))
        .join_from(callbacks, events, events.c.key == callbacks.c.event_key)
        .join(batch_events, batch_events.c.event_seq == events.c.seq)
        .join(batches, batches.c.id == batch_events.c.batch_id)
        .where(callbacks.c.state == PENDING, callbacks.c.next_at <= now, ended)
        .where(batches.c.scope == Scope.TENANT.value, or_(*own_level))
        .order_by(callbacks.c.next_at)
        .limit(limit)
    )


def _change(connection: Connection, event_key: bytes, **values: object) -> None:
    pending = (callbacks.c.event_key == event_key) & (callbacks.c.state == PENDING)
    connection.execute(update(callbacks).where(pending).values(values))
