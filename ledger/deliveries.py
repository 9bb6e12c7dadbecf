"""Deliverables and their outbox: committed with the batch, published at least once, each under its own key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update

from contracts.batches import BatchState
from contracts.deliverables import Deliverable
from ledger.engine import Ledger
from ledger.outcome_tables import deliverables as table
from ledger.outcome_tables import outbox
from ledger.sql import among, by_prefix, insert_once, reading, writing
from ledger.transitions import move

TO_PUBLISH = "PENDING"
PUBLISHED = "PUBLISHED"
GIVEN_UP = "FAILED"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One deliverable for one channel. `idempotency_key` lets the receiver drop what comes twice."""

    id: int
    idempotency_key: str
    channel: str
    attempts: int
    deliverable: Deliverable


def commit_batch(
    ledger: Ledger,
    batch_id: str,
    lease: str,
    deliverables: Sequence[Deliverable],
    channels: Sequence[str],
    now: datetime,
) -> None:
    """Make the batch DONE with all it delivers: every deliverable, and a message for each channel, or nothing.

    Repeated by the lease that did it, it changes nothing.

    Raises:
        UnknownBatchError: there is no such batch.
        LeaseLostError: the lease no longer holds the batch.
    """
    messages = [
        {
            "deliverable_id": one.id,
            "channel": channel,
            "idempotency_key": f"{one.id}:{channel}",
            "state": TO_PUBLISH,
            "next_at": now,
        }
        for one in deliverables
        for channel in channels
    ]
    reason = f"committed {len(deliverables)} deliverables"
    with writing(ledger) as connection:
        if move(connection, batch_id, BatchState.DONE, reason=reason, now=now, lease=lease):
            insert_once(connection, table, [_row(one) for one in deliverables])
            insert_once(connection, outbox, messages)


def due_messages(ledger: Ledger, now: datetime, limit: int) -> tuple[OutboxMessage, ...]:
    """The messages to publish now, those due longest first."""
    query = (
        select(outbox.c.id, outbox.c.idempotency_key, outbox.c.channel, outbox.c.attempts, table.c.payload)
        .join_from(outbox, table, outbox.c.deliverable_id == table.c.id)
        .where(outbox.c.state == TO_PUBLISH, outbox.c.next_at <= now)
        .order_by(outbox.c.next_at, outbox.c.id)
        .limit(limit)
    )
    with reading(ledger) as connection:
        return tuple(
            OutboxMessage(*row[:4], deliverable=Deliverable.model_validate_json(row.payload))
            for row in connection.execute(query)
        )


def mark_published(ledger: Ledger, ids: Iterable[int], now: datetime) -> None:
    """Record that these messages reached their channel; one published before keeps its first time."""
    with writing(ledger) as connection:
        connection.execute(
            update(outbox)
            .where(among(connection, outbox.c.id, ids), outbox.c.state != PUBLISHED)
            .values(state=PUBLISHED, published_at=now, next_at=None, attempts=outbox.c.attempts + 1)
        )


def mark_failed(ledger: Ledger, message_id: int, error: str, next_at: datetime | None) -> None:
    """Record a failed attempt and when to try again; without a time the message is given up."""
    state = GIVEN_UP if next_at is None else TO_PUBLISH
    with writing(ledger) as connection:
        connection.execute(
            update(outbox)
            .where(outbox.c.id == message_id, outbox.c.state == TO_PUBLISH)
            .values(state=state, next_at=next_at, last_error=error, attempts=outbox.c.attempts + 1)
        )


def read_deliverable(ledger: Ledger, deliverable_id: str) -> Deliverable | None:
    """The deliverable with this id, or the only one whose id begins so; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, table, deliverable_id)
    return None if row is None else Deliverable.model_validate_json(row.payload)


def list_deliverables(ledger: Ledger, batch_id: str | None, limit: int = 1_000) -> tuple[Deliverable, ...]:
    """The latest deliverables, newest first, of one batch if it is given."""
    query = select(table.c.payload).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    if batch_id is not None:
        query = query.where(table.c.batch_id == batch_id)
    with reading(ledger) as connection:
        return tuple(Deliverable.model_validate_json(text) for text in connection.execute(query).scalars())


def _row(one: Deliverable) -> dict[str, Any]:
    return {
        "id": one.id,
        "batch_id": one.batch,
        "tenant": one.tenant,
        "user": one.user,
        "kind": one.kind.value,
        "form": one.form,
        "title": one.title,
        "cost_usd": Decimal(str(one.provenance.cost_usd)),
        "created_at": one.created_at,
        "schema_version": one.schema_version,
        "payload": one.model_dump_json(),
    }
