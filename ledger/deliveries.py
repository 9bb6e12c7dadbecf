"""Deliverables: committed with their batch and a message in the outbox for each, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, select

from contracts.batches import BatchState
from contracts.deliverables import Deliverable
from contracts.versions import upgraded_json
from ledger.engine import Ledger
from ledger.outcome_tables import deliverables as table
from ledger.outcome_tables import outbox
from ledger.sql import by_prefix, insert_once, reading, writing
from ledger.transitions import move

PENDING: Final = "PENDING"
"""The state of a message that is still to be published."""


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
            "state": PENDING,
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


def read_deliverable(ledger: Ledger, deliverable_id: str) -> Deliverable | None:
    """The deliverable with this id, or the only one whose id begins so; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, table, deliverable_id)
    return None if row is None else to_deliverable(row)


def list_deliverables(ledger: Ledger, batch_id: str | None, limit: int = 1_000) -> tuple[Deliverable, ...]:
    """The latest deliverables, newest first, of one batch if it is given."""
    query = (
        select(table.c.schema_version, table.c.payload)
        .order_by(table.c.created_at.desc(), table.c.id)
        .limit(limit)
    )
    if batch_id is not None:
        query = query.where(table.c.batch_id == batch_id)
    with reading(ledger) as connection:
        return tuple(map(to_deliverable, connection.execute(query)))


@dataclass(frozen=True, slots=True)
class StoredDeliverable:
    """A deliverable as it lies in the ledger: whose it is can be told even of a version that is not read."""

    id: str
    batch_id: str
    tenant: str
    user: str | None
    cost_usd: Decimal
    created_at: datetime
    schema_version: str
    payload: str

    def read(self) -> Deliverable:
        """The deliverable; UnknownVersionError for another version's, ValidationError for one that is none."""
        return _read(self.schema_version, self.payload)


def to_deliverable(row: Row[Any]) -> Deliverable:
    """The deliverable of a row with its `schema_version` and `payload`; UnknownVersionError for another's."""
    return _read(row.schema_version, row.payload)


def _read(version: str, payload: str) -> Deliverable:
    return Deliverable.model_validate_json(upgraded_json("deliverable", version, payload))


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
