"""What is left of erased content: which columns are emptied, which rows go, and what stays for the accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select, update

from contracts.batches import FINISHED, BatchState, Scope
from contracts.events import Event, Kind, Priority
from ledger.intake import ERASED_CONTENT
from ledger.outcome_tables import deliverables, outbox, promotions
from ledger.review_tables import reviews
from ledger.sql import among
from ledger.tables import (
    batch_events,
    batch_history,
    batches,
    events,
    items,
    judgements,
    model_calls,
    pool,
    stage_runs,
)
from ledger.transitions import update_state

ERASED: Final = "erased"
"""What stands where a person's words or name stood."""

OPEN: Final = frozenset(BatchState) - FINISHED


def blank_events(connection: Connection, tenant: str, seqs: Sequence[int]) -> int:
    """Their content and names; a row of each stays, by which a redelivery is known."""
    mine = among(connection, events.c.seq, seqs)
    kinds = connection.execute(select(events.c.kind, events.c.priority).where(mine).distinct()).all()
    for kind, priority in kinds:
        blank = Event(
            id=ERASED,
            source=ERASED,
            type=Kind(kind),
            tenant=tenant,
            priority=Priority.from_rank(priority),
            feature=ERASED,
            topic=ERASED,
            data={},
        )
        values = {"user": None, "topic": ERASED, "occurred_at": None, "content_hash": ERASED_CONTENT}
        connection.execute(
            update(events)
            .where(mine, events.c.kind == kind, events.c.priority == priority)
            .values(payload=blank.model_dump_json(), **values)
        )
    connection.execute(delete(pool).where(among(connection, pool.c.seq, seqs)))
    connection.execute(delete(batch_events).where(among(connection, batch_events.c.event_seq, seqs)))
    return len(seqs)


def topics_of(connection: Connection, seqs: Sequence[int]) -> tuple[str, ...]:
    """What the events are about, which may be their writer's own words."""
    query = select(events.c.topic).where(among(connection, events.c.seq, seqs)).distinct()
    return tuple(connection.execute(query).scalars())


def blank_promotions(connection: Connection, tenant: str, topics: Sequence[str]) -> None:
    """Promotions of a topic that nobody but the erased wrote about; that there was one stays."""
    still = select(events.c.topic).where(events.c.tenant == tenant)
    theirs = (promotions.c.tenant == tenant, among(connection, promotions.c.topic, topics))
    connection.execute(
        update(promotions).where(*theirs, promotions.c.topic.not_in(still)).values(topic=ERASED, evidence={})
    )


def blank_items(connection: Connection, ids: Sequence[str], again: Sequence[str]) -> int:
    """What was generated, and the judge's words on it; of batches that may run again every trace."""
    mine = among(connection, items.c.batch_id, ids)
    count = connection.execute(select(func.count()).select_from(items).where(mine)).scalar_one()
    for table in (judgements, items, stage_runs):
        delete_of(connection, table, again)
    connection.execute(update(items).where(mine).values(content={}))
    connection.execute(
        update(judgements).where(among(connection, judgements.c.batch_id, ids)).values(reason=ERASED)
    )
    return count


def blank_reviews(connection: Connection, ids: Sequence[str]) -> None:
    """What reviewers wrote, which may be the person's words; that they accepted or refused, and scores, stay."""
    mine = among(connection, reviews.c.batch_id, ids)
    connection.execute(update(reviews).where(mine).values(edited=None, comment=None))


def blank_calls(connection: Connection, ids: Sequence[str]) -> int:
    """What models answered; that they were asked, when and at what cost stays, booked to nobody."""
    mine = among(connection, model_calls.c.batch_id, ids)
    values = {"user": None, "reply_text": None, "message": None, "request_hash": ERASED}
    return connection.execute(update(model_calls).where(mine).values(values)).rowcount


def delete_deliverables(connection: Connection, ids: Sequence[str]) -> int:
    """Deliverables, and what of them has not left yet."""
    mine = select(deliverables.c.id).where(among(connection, deliverables.c.batch_id, ids))
    connection.execute(delete(outbox).where(outbox.c.deliverable_id.in_(mine)))
    return delete_of(connection, deliverables, ids)


def blank_batches(connection: Connection, ids: Sequence[str]) -> None:
    """Whose they were, and why they moved; when they moved stays."""
    connection.execute(
        update(batches).where(among(connection, batches.c.id, ids)).values(reason=ERASED, diagnosis=None)
    )
    connection.execute(
        update(batches)
        .where(among(connection, batches.c.id, ids), batches.c.scope == Scope.USER.value)
        .values(user=ERASED)
    )
    for table, column in ((batch_history, "reason"), (stage_runs, "error")):
        mine = among(connection, table.c.batch_id, ids)
        connection.execute(update(table).where(mine, table.c[column].is_not(None)).values({column: ERASED}))


def shrink_open_batches(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    """An open batch has as many events as are left; one without any is at its end."""
    left = select(func.count()).where(batch_events.c.batch_id == batches.c.id).scalar_subquery()
    connection.execute(update(batches).where(among(connection, batches.c.id, ids)).values(size=left))
    for batch in ids:
        size = connection.execute(select(batches.c.size).where(batches.c.id == batch)).scalar_one()
        if size == 0:
            update_state(
                connection, batch, OPEN, BatchState.FAILED, "all its events were erased", {}, now=now
            )


def delete_of(connection: Connection, table: Table, ids: Sequence[str]) -> int:
    """Delete the rows of these batches; how many there were."""
    return connection.execute(delete(table).where(among(connection, table.c.batch_id, ids))).rowcount
