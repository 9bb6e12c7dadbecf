"""The outbox: messages to publish, each taken by one publisher at a time, at least once, under its own key.

A message that is taken is nobody else's for a while; one whose publisher died comes back when that time is over.
An attempt is counted when it begins, so one that kills its publisher is counted too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, exists, func, or_, select, update

from contracts.deliverables import Deliverable
from ledger.control_tables import pauses
from ledger.dead_letters import DeadLetter, bury_within
from ledger.deliveries import PENDING, StoredDeliverable
from ledger.engine import Ledger
from ledger.outcome_tables import deliverables, outbox
from ledger.pauses import ALL, DELIVERY
from ledger.sql import among, reading, writing

PUBLISHED: Final = "PUBLISHED"
GIVEN_UP: Final = "FAILED"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One deliverable for one channel. `idempotency_key` lets the receiver drop what comes twice.

    `attempts` counts this one too; `next_at` is until when it is ours.
    """

    id: int
    idempotency_key: str
    channel: str
    attempts: int
    next_at: datetime
    stored: StoredDeliverable

    @property
    def deliverable(self) -> Deliverable:
        """What to publish. Raises as `StoredDeliverable.read`."""
        return self.stored.read()


_MESSAGE: Final = tuple(one.name for one in fields(OutboxMessage) if one.name != "stored")
_DELIVERABLE: Final = tuple(deliverables.c[one.name] for one in fields(StoredDeliverable))


def take_messages(
    ledger: Ledger, now: datetime, limit: int, hold_for: timedelta
) -> tuple[OutboxMessage, ...]:
    """Messages to publish now, those due longest first; nobody else gets them for `hold_for`.

    What is paused, by the stage `delivery` or all of it, is left.
    """
    until = now + hold_for
    with writing(ledger, "outbox") as connection:
        due = (
            select(outbox.c.id)
            .join_from(outbox, deliverables, outbox.c.deliverable_id == deliverables.c.id)
            .where(*_due(now))
            .order_by(outbox.c.next_at, outbox.c.id)
            .limit(limit)
        )
        ids = connection.execute(due).scalars().all()
        if not ids:
            return ()
        taken = update(outbox).where(among(connection, outbox.c.id, ids))
        connection.execute(taken.values(next_at=until, attempts=outbox.c.attempts + 1))
        query = (
            select(*(outbox.c[name] for name in _MESSAGE), *_DELIVERABLE)
            .join_from(outbox, deliverables, outbox.c.deliverable_id == deliverables.c.id)
            .where(among(connection, outbox.c.id, ids))
            .order_by(outbox.c.id)
        )
        rows = connection.execute(query).all()
    own = len(_MESSAGE)
    return tuple(
        OutboxMessage(**dict(zip(_MESSAGE, row[:own], strict=True)), stored=StoredDeliverable(*row[own:]))
        for row in rows
    )


def has_messages(ledger: Ledger, now: datetime) -> bool:
    """True when there is something to publish now."""
    query = select(outbox.c.id).join_from(outbox, deliverables, outbox.c.deliverable_id == deliverables.c.id)
    with reading(ledger) as connection:
        return connection.execute(query.where(*_due(now)).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages that failed and are tried again by themselves: how many, and what was said last."""

    count: int
    error: str | None


def undelivered(ledger: Ledger) -> Undelivered:
    """The messages whose latest attempt failed; what was given up is a dead letter instead."""
    failed = (outbox.c.state == PENDING) & outbox.c.last_error.is_not(None)
    query = select(func.count(), func.max(outbox.c.last_error)).where(failed)
    with reading(ledger) as connection:
        return Undelivered(*connection.execute(query).one())


def mark_published(ledger: Ledger, ids: Iterable[int], now: datetime) -> frozenset[int]:
    """Record that these messages reached their channel; one published before keeps its first time.

    Returns those that are still there: a message may have been erased while it was on its way.
    """
    ids = list(ids)
    with writing(ledger) as connection:
        connection.execute(
            update(outbox)
            .where(among(connection, outbox.c.id, ids), outbox.c.state != PUBLISHED)
            .values(state=PUBLISHED, published_at=now, next_at=None)
        )
        there = connection.execute(select(outbox.c.id).where(among(connection, outbox.c.id, ids)))
        return frozenset(there.scalars())


def mark_failed(ledger: Ledger, message_id: int, error: str, next_at: datetime) -> None:
    """Record that an attempt failed, and when to try again."""
    with writing(ledger) as connection:
        pending = update(outbox).where(outbox.c.id == message_id, outbox.c.state == PENDING)
        connection.execute(pending.values(next_at=next_at, last_error=error))


def give_up(ledger: Ledger, message_id: int, letter: DeadLetter) -> None:
    """Give a message up, with its dead letter, together."""
    with writing(ledger) as connection:
        pending = update(outbox).where(outbox.c.id == message_id, outbox.c.state == PENDING)
        values = {"state": GIVEN_UP, "next_at": None, "last_error": f"{letter.error}: {letter.message}"}
        if connection.execute(pending.values(values)).rowcount:
            bury_within(connection, letter)


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    paused = exists().where(
        pauses.c.stage.in_([ALL, DELIVERY]),
        or_(pauses.c.tenant == "", pauses.c.tenant == deliverables.c.tenant),
    )
    return outbox.c.state == PENDING, outbox.c.next_at <= now, ~paused
