"""Raising LOW events to HIGH when trend analysis finds that together they matter."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, insert, select, update

from contracts.events import Priority
from contracts.versions import CURRENT
from ledger.engine import Ledger
from ledger.outcome_tables import promotions
from ledger.pools import needed_bits
from ledger.sql import among, insert_rows, writing
from ledger.tables import events, pool


def promote_events(
    ledger: Ledger, tenant: str, topic: str, seqs: Iterable[int], evidence: dict[str, Any], now: datetime
) -> int:
    """Raise those of the events that are LOW, of this tenant and topic, to HIGH; return how many were raised.

    The evidence is recorded once with their number. Repeated, it finds nothing LOW and changes nothing.
    """
    with writing(ledger, "pools") as connection:
        query = (
            select(events.c.seq, events.c.user, events.c.payload, pool.c.batched)
            .join_from(events, pool, pool.c.seq == events.c.seq, isouter=True)
            .where(
                among(connection, events.c.seq, seqs),
                events.c.tenant == tenant,
                events.c.topic == topic,
                events.c.priority == Priority.LOW.rank,
            )
        )
        raised = connection.execute(query).all()
        if not raised:
            return 0
        connection.execute(_RAISE, [_raised(row.seq, row.payload) for row in raised])
        connection.execute(delete(pool).where(among(connection, pool.c.seq, [row.seq for row in raised])))
        insert_rows(connection, pool, ("seq", "needed", "batched"), [_bits(*row) for row in raised])
        values = {"tenant": tenant, "topic": topic, "events": len(raised), "at": now, "evidence": evidence}
        connection.execute(insert(promotions).values(values | {"schema_version": CURRENT["evidence"]}))
    return len(raised)


_RAISE = (
    update(events)
    .where(events.c.seq == bindparam("of_seq"))
    .values(priority=Priority.HIGH.rank, payload=bindparam("to_payload"))
)


def _raised(seq: int, payload: str) -> dict[str, object]:
    told = orjson.loads(payload) | {"priority": Priority.HIGH.value}
    return {"of_seq": seq, "to_payload": orjson.dumps(told).decode()}


def _bits(seq: int, user: str | None, _payload: str, batched: int | None) -> tuple[int, int, int]:
    """The event's new row of the pool; one that had left it had joined all that a LOW event needs."""
    has_user = user is not None
    low = needed_bits(Priority.LOW.rank, has_user=has_user)
    return seq, needed_bits(Priority.HIGH.rank, has_user=has_user), low if batched is None else batched
