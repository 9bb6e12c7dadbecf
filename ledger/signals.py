"""Signals: what operators are told of, written with the fact itself and handed on at least once.

A signal is taken before it is sent and removed after: one that was taken and never removed, because its sender
died, is taken again after `RETAKE`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from ledger.control_tables import signals
from ledger.engine import Ledger
from ledger.sql import among, reading, writing

RETAKE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signal:
    """What happened (`breaker.opened`), about what (a model, a batch), and its particulars."""

    id: int
    name: str
    about: str
    payload: dict[str, Any]
    at: datetime


def signal(connection: Connection, name: str, about: str, payload: dict[str, Any], now: datetime) -> None:
    """Leave a signal, inside the transaction of what it tells of."""
    connection.execute(insert(signals).values(name=name, about=about, payload=payload, at=now))


def take_signals(ledger: Ledger, now: datetime, limit: int = 100) -> tuple[Signal, ...]:
    """Signals to send now, oldest first: nobody else gets them for `RETAKE`."""
    with reading(ledger) as connection:
        if connection.execute(select(signals.c.id).limit(1)).first() is None:
            return ()
    free = or_(signals.c.taken_at.is_(None), signals.c.taken_at <= now - RETAKE)
    with writing(ledger, "signals") as connection:
        rows = connection.execute(select(signals).where(free).order_by(signals.c.id).limit(limit)).all()
        ids = [row.id for row in rows]
        connection.execute(update(signals).where(among(connection, signals.c.id, ids)).values(taken_at=now))
    return tuple(Signal(row.id, row.name, row.about, row.payload, row.at) for row in rows)


def forget_signals(ledger: Ledger, sent: tuple[Signal, ...]) -> None:
    """Remove signals that have reached their receiver."""
    with writing(ledger) as connection:
        connection.execute(delete(signals).where(among(connection, signals.c.id, [one.id for one in sent])))
