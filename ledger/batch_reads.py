"""Reading batches back: where each stands, how it got there, what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Subquery, func, or_, select

from contracts.batches import Batch, BatchState
from contracts.events import Event
from contracts.versions import upgraded_json
from ledger.engine import Ledger
from ledger.sql import by_prefix, reading
from ledger.tables import batch_events, batches, events
from ledger.tables import batch_history as history


@dataclass(frozen=True, slots=True)
class Transition:
    """One move of a batch, as its history tells it."""

    from_state: BatchState
    to_state: BatchState
    at: datetime
    reason: str


def read_batch(ledger: Ledger, batch_id: str) -> Batch | None:
    """The batch with this id, or the only one whose id begins so; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, batches, batch_id)
    return None if row is None else to_batch(row)


def list_batches(ledger: Ledger, limit: int, state: BatchState | None = None) -> tuple[Batch, ...]:
    """The latest batches, newest first, of one state if it is given."""
    query = select(batches).order_by(batches.c.created_at.desc(), batches.c.id).limit(limit)
    if state is not None:
        query = query.where(batches.c.state == state.value)
    with reading(ledger) as connection:
        return tuple(to_batch(row) for row in connection.execute(query))


def batch_history(ledger: Ledger, batch_id: str) -> tuple[Transition, ...]:
    """How the batch came to where it stands, oldest move first."""
    query = select(history).where(history.c.batch_id == batch_id).order_by(history.c.id)
    with reading(ledger) as connection:
        return tuple(
            Transition(BatchState(row.from_state), BatchState(row.to_state), row.at, row.reason)
            for row in connection.execute(query)
        )


def batch_diagnosis(ledger: Ledger, batch_id: str) -> dict[str, Any] | None:
    """What was found to be wrong with the batch; None while nothing was."""
    with reading(ledger) as connection:
        found: dict[str, Any] | None = connection.execute(
            select(batches.c.diagnosis).where(batches.c.id == batch_id)
        ).scalar()
    return found


def batch_event_ids(ledger: Ledger, batch_id: str) -> tuple[str, ...]:
    """The CloudEvents ids of the batch's events, in ledger order."""
    with reading(ledger) as connection:
        return tuple(orjson.loads(row.payload)["id"] for row in event_rows(connection, batch_id))


@dataclass(frozen=True, slots=True)
class Origin:
    """An event of a batch: its CloudEvents id and source, and the other batches that it is in."""

    id: str
    source: str
    kind: str
    accepted_at: datetime
    also_in: tuple[str, ...]


def batch_origins(ledger: Ledger, batch_id: str) -> tuple[Origin, ...]:
    """What the batch was made of, in ledger order, without a word of what people wrote."""
    ours, others = batch_events, batch_events.alias()
    elsewhere = (others.c.event_seq == ours.c.event_seq) & (others.c.batch_id != batch_id)
    query = (
        select(events.c.seq, events.c.kind, events.c.accepted_at, events.c.payload, others.c.batch_id)
        .join_from(ours, events, ours.c.event_seq == events.c.seq)
        .join(batches, batches.c.id == ours.c.batch_id)
        .outerjoin(others, elsewhere)
        .where(ours.c.batch_id == batch_id, _BELONGS)
        # By the batch's own column: in the order of `events` SQLite would go through all of them.
        .order_by(ours.c.event_seq, others.c.batch_id)
    )
    with reading(ledger) as connection:
        rows = connection.execute(query).all()
    return tuple(_origin(list(same)) for _, same in groupby(rows, key=lambda row: row.seq))


def _origin(rows: list[Row[Any]]) -> Origin:
    told = orjson.loads(rows[0].payload)
    also_in = tuple(row.batch_id for row in rows if row.batch_id is not None)
    return Origin(told["id"], told["source"], rows[0].kind, rows[0].accepted_at, also_in)


def ready_since() -> Subquery:
    """Of each READY batch `id`, `level` and `at`, when it last became so."""
    moves = history.c
    return (
        select(batches.c.id, batches.c.level, func.max(moves.at).label("at"))
        .join_from(batches, history, moves.batch_id == batches.c.id)
        .where(batches.c.state == BatchState.READY.value, moves.to_state == BatchState.READY.value)
        .group_by(batches.c.id, batches.c.level)
        .subquery()
    )


_BELONGS = (events.c.tenant == batches.c.tenant) & or_(
    batches.c.user.is_(None), events.c.user == batches.c.user
)


def event_rows(connection: Connection, batch_id: str) -> Sequence[Row[Any]]:
    """The batch's events in ledger order, each with `kind`, `accepted_at`, `schema_version` and `payload`.

    Never another tenant's, nor in a user's batch another user's, whatever was planned.
    """
    query = (
        select(events.c.kind, events.c.accepted_at, events.c.schema_version, events.c.payload)
        .join_from(batch_events, events, batch_events.c.event_seq == events.c.seq)
        .join(batches, batches.c.id == batch_events.c.batch_id)
        .where(batch_events.c.batch_id == batch_id, _BELONGS)
        .order_by(batch_events.c.event_seq)
    )
    return connection.execute(query).all()


def to_event(row: Row[Any]) -> Event:
    """The event of a row with `schema_version` and `payload`; UnknownVersionError for one of another version."""
    return Event.model_validate_json(upgraded_json("event", row.schema_version, row.payload))


def to_batch(row: Row[Any]) -> Batch:
    """The contract of a row of `batches`."""
    return Batch.model_validate(
        {name: getattr(row, name) for name in Batch.model_fields},
        strict=False,  # the database's text becomes the contract's enumerations
    )
