"""Raising LOW events to HIGH when trend analysis finds that together they matter."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, update

from contracts.events import Priority
from ledger.engine import Ledger
from ledger.outcome_tables import promotions
from ledger.pools import needed_bits
from ledger.sql import among, writing
from ledger.tables import events


def promote_events(
    ledger: Ledger, tenant: str, topic: str, seqs: Iterable[int], evidence: dict[str, Any], now: datetime
) -> int:
    """Raise those of the events that are LOW, of this tenant and topic, to HIGH; return how many were raised.

    The evidence is recorded once with their number. Repeated, it finds nothing LOW and changes nothing.
    """
    with writing(ledger, "pools") as connection:
        query = select(events.c.seq, events.c.user, events.c.payload).where(
            among(connection, events.c.seq, seqs),
            events.c.tenant == tenant,
            events.c.topic == topic,
            events.c.priority == Priority.LOW.rank,
        )
        raised = [_raised(*row) for row in connection.execute(query)]
        if not raised:
            return 0
        connection.execute(_RAISE, raised)
        connection.execute(
            insert(promotions).values(
                tenant=tenant, topic=topic, events=len(raised), at=now, schema_version="1", evidence=evidence
            )
        )
    return len(raised)


_RAISE = (
    update(events)
    .where(events.c.seq == bindparam("of_seq"))
    .values(
        priority=bindparam("to_priority"),
        needed=bindparam("to_needed"),
        payload=bindparam("to_payload"),
    )
)


def _raised(seq: int, user: str | None, payload: str) -> dict[str, object]:
    rank = Priority.HIGH.rank
    return {
        "of_seq": seq,
        "to_priority": rank,
        "to_needed": needed_bits(rank, has_user=user is not None),
        "to_payload": orjson.dumps(orjson.loads(payload) | {"priority": Priority.HIGH.value}).decode(),
    }
