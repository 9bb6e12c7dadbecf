"""Reading events back: where one stands."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import select

from contracts.events import Priority
from ledger.engine import Ledger
from ledger.intake import ERASED_CONTENT
from ledger.sql import reading
from ledger.tables import batch_events, batches, events


@dataclass(frozen=True, slots=True)
class EventPlace:
    """An event, and the batches that it is in: each its `id`, `scope`, `level` and `state`."""

    id: str
    source: str
    kind: str
    priority: str
    accepted_at: datetime
    batches: tuple[dict[str, str], ...]


def is_event_erased(ledger: Ledger, key: bytes) -> bool:
    """Whether the event with this key is one of a person who was erased; False, too, while it has not come."""
    query = select(events.c.content_hash).where(events.c.key == key)
    with reading(ledger) as connection:
        return connection.execute(query).scalar() == ERASED_CONTENT


def event_status(ledger: Ledger, key: str, tenant: str) -> EventPlace | None:
    """Where the tenant's event with this key (32 hex digits) stands; None where there is none of theirs."""
    try:
        wanted = bytes.fromhex(key)
    except ValueError:
        return None
    columns = (events.c.seq, events.c.kind, events.c.priority, events.c.accepted_at, events.c.payload)
    parts = [batches.c[name] for name in ("id", "scope", "level", "state")]
    with reading(ledger) as connection:
        found = connection.execute(
            select(*columns).where(events.c.key == wanted, events.c.tenant == tenant)
        ).first()
        if found is None:
            return None
        rows = (
            connection.execute(
                select(*parts)
                .join_from(batch_events, batches, batches.c.id == batch_events.c.batch_id)
                .where(batch_events.c.event_seq == found.seq)
                .order_by(batches.c.created_at, batches.c.id)
            )
            .mappings()
            .all()
        )
    told = orjson.loads(found.payload)
    places = tuple(dict(row) for row in rows)
    priority = Priority.from_rank(found.priority)
    return EventPlace(told["id"], told["source"], found.kind, priority, found.accepted_at, places)
