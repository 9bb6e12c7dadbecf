"""The story of a batch that has come to an end: all that happened to it, and when, as one value. Traces are told of it.

Each end is told once, whichever process takes it: a batch that died, was replayed and got done has two, and the second
begins where the first ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, Select, delete, exists, insert, or_, select

from contracts.batches import BatchState
from ledger.batch_reads import event_rows
from ledger.control_tables import told_ends
from ledger.engine import Ledger
from ledger.outcome_tables import deliverables, outbox
from ledger.sql import among, reading, writing
from ledger.tables import batch_history, batches, model_calls, stage_runs

ENDS: Final = (BatchState.DONE, BatchState.FAILED, BatchState.DEAD)
OVER: Final = timedelta(hours=1)
"""An end that nobody took for as long is not told any more."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is in the batch."""

    id: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in one state: from the move into it to the next."""

    state: BatchState
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class StageStory:
    """A stage's latest run; `until` is None while it was broken off."""

    name: str
    since: datetime
    until: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class CallStory:
    """A model call; `until` is None where it is not known how it ended."""

    id: str
    stage: str
    item: str
    purpose: str
    model: str
    reply_model: str | None
    stop_reason: str | None
    attempt: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    since: datetime
    until: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A deliverable's way out through a channel; `until` is None while it has not arrived."""

    id: str
    kind: str
    channel: str
    attempts: int
    since: datetime
    until: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """A batch from `since` to the end at `at`, each part in order of time."""

    batch: str
    end: int
    tenant: str
    level: str
    scope: str
    pipeline: str
    state: BatchState
    reason: str
    since: datetime
    at: datetime
    events: tuple[Accepted, ...]
    stays: tuple[Stay, ...]
    stages: tuple[StageStory, ...]
    calls: tuple[CallStory, ...]
    deliveries: tuple[Delivery, ...]


def take_ends(ledger: Ledger, now: datetime, patience: timedelta, limit: int = 20) -> tuple[int, ...]:
    """Ends that nobody has told yet, oldest first; from now on they count as told.

    A batch whose deliverables are still on their way is waited for, for as long as `patience`.
    """
    due = _untold(now, patience).limit(limit)
    with reading(ledger) as connection:
        if connection.execute(due).first() is None:
            return ()
    with writing(ledger, "told ends") as connection:
        connection.execute(delete(told_ends).where(told_ends.c.at < now - 2 * OVER))
        ends = tuple(connection.execute(due).scalars())
        if ends:
            connection.execute(insert(told_ends), [{"move_id": end, "at": now} for end in ends])
    return ends


def give_back_ends(ledger: Ledger, ends: tuple[int, ...]) -> None:
    """They could not be told now: somebody is to try again."""
    with writing(ledger, "told ends") as connection:
        connection.execute(delete(told_ends).where(among(connection, told_ends.c.move_id, list(ends))))


def _untold(now: datetime, patience: timedelta) -> Select[tuple[int]]:
    on_their_way = exists().where(
        outbox.c.deliverable_id == deliverables.c.id,
        deliverables.c.batch_id == batch_history.c.batch_id,
        outbox.c.state == "PENDING",
    )
    return (
        select(batch_history.c.id)
        .outerjoin(told_ends, told_ends.c.move_id == batch_history.c.id)
        .where(
            batch_history.c.at > now - OVER,
            batch_history.c.to_state.in_([state.value for state in ENDS]),
            told_ends.c.move_id.is_(None),
            or_(~on_their_way, batch_history.c.at <= now - patience),
        )
        .order_by(batch_history.c.id)
    )


def read_story(ledger: Ledger, end: int) -> Story:
    """The story that ends with this move of a batch's history."""
    with reading(ledger) as connection:
        last = connection.execute(select(batch_history).where(batch_history.c.id == end)).one()
        batch = connection.execute(select(batches).where(batches.c.id == last.batch_id)).one()
        moves = connection.execute(
            select(batch_history)
            .where(batch_history.c.batch_id == batch.id, batch_history.c.id <= end)
            .order_by(batch_history.c.id)
        ).all()
        earlier = [move for move in moves[:-1] if move.to_state in ENDS]
        events = () if earlier else _events(connection, batch.id)
        since = earlier[-1].at if earlier else min([batch.created_at, *(event.at for event in events)])
        return Story(
            batch=batch.id,
            end=end,
            tenant=batch.tenant,
            level=batch.level,
            scope=batch.scope,
            pipeline=batch.pipeline,
            state=BatchState(last.to_state),
            reason=last.reason,
            since=since,
            at=last.at,
            events=events,
            stays=_stays(batch.created_at, moves, since),
            stages=_stages(connection, batch.id, since),
            calls=_calls(connection, batch.id, since, last.at),
            deliveries=_deliveries(connection, batch.id, since),
        )


def _events(connection: Connection, batch: str) -> tuple[Accepted, ...]:
    rows = event_rows(connection, batch)
    return tuple(Accepted(orjson.loads(row.payload)["id"], row.kind, row.accepted_at) for row in rows)


def _stays(created_at: datetime, moves: Sequence[Row[Any]], since: datetime) -> tuple[Stay, ...]:
    """What lies between the moves; the first is from the batch's making."""
    began = [created_at, *(move.at for move in moves)]
    return tuple(
        Stay(BatchState(move.from_state), began[place], move.at, moves[place - 1].reason if place else "")
        for place, move in enumerate(moves)
        if began[place] >= since
    )


def _stages(connection: Connection, batch: str, since: datetime) -> tuple[StageStory, ...]:
    runs = stage_runs.c
    query = (
        select(stage_runs).where(runs.batch_id == batch, runs.started_at >= since).order_by(runs.started_at)
    )
    return tuple(
        StageStory(row.stage, row.started_at, row.finished_at, row.error) for row in connection.execute(query)
    )


def _calls(connection: Connection, batch: str, since: datetime, until: datetime) -> tuple[CallStory, ...]:
    calls = model_calls.c
    query = (
        select(model_calls)
        .where(calls.batch_id == batch, calls.started_at >= since, calls.started_at <= until)
        .order_by(calls.started_at, calls.id)
    )
    return tuple(
        CallStory(
            id=row.id,
            stage=row.stage,
            item=row.item,
            purpose=row.purpose,
            model=row.model,
            reply_model=row.reply_model,
            stop_reason=row.stop_reason,
            attempt=row.attempt,
            input_tokens=row.input_tokens + row.cache_write_tokens + row.cache_read_tokens,
            output_tokens=row.output_tokens,
            cost_usd=row.cost_usd,
            since=row.started_at,
            until=row.finished_at,
            error=row.error,
        )
        for row in connection.execute(query)
    )


def _deliveries(connection: Connection, batch: str, since: datetime) -> tuple[Delivery, ...]:
    query = (
        select(outbox, deliverables.c.kind, deliverables.c.created_at)
        .join_from(outbox, deliverables, deliverables.c.id == outbox.c.deliverable_id)
        .where(deliverables.c.batch_id == batch, deliverables.c.created_at >= since)
        .order_by(outbox.c.id)
    )
    return tuple(
        Delivery(
            row.deliverable_id,
            row.kind,
            row.channel,
            row.attempts,
            row.created_at,
            row.published_at,
            row.last_error if row.published_at is None else None,
        )
        for row in connection.execute(query)
    )
