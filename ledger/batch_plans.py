"""Making batches from plans: each event once per scope and level, whoever plans and however often."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from contracts.batches import BATCH_SCHEMA_VERSION, BatchPlan, BatchState
from ledger.batch_news import Moved, tell_moves
from ledger.columns import to_micros
from ledger.engine import Ledger
from ledger.pools import BITS
from ledger.sql import among, insert_once, insert_rows, writing
from ledger.tables import batch_events, batches, pool, turns
from ledger.tables import batch_history as history

CHUNK: Final = 1_000
"""Plans created in one transaction."""


def create_batches(ledger: Ledger, plans: Iterable[BatchPlan], now: datetime) -> int:
    """Create the planned batches, READY, and take their events out of their pools; return how many are new.

    A batch that exists already is left as it is. A plan made from an older view of the pool, one of whose
    events has meanwhile joined another batch of that scope and level (or does not exist), is dropped: its other
    events are still pending and the next plan takes them.
    """
    remaining = iter(plans)
    created = 0
    while chunk := list(islice(remaining, CHUNK)):
        with writing(ledger, "pools") as connection:
            created += _create(connection, chunk, now)
    return created


def _create(connection: Connection, plans: Sequence[BatchPlan], now: datetime) -> int:
    fresh = _takeable(connection, plans)
    if not fresh:
        return 0
    at = to_micros(now)
    insert_rows(connection, batches, _COLUMNS, [_row(plan, at) for plan in fresh])
    members = sorted((plan.id, seq) for plan in fresh for seq in plan.events)
    insert_rows(connection, batch_events, ("batch_id", "event_seq"), members)
    connection.execute(insert(history), [_closing(plan, now) for plan in fresh])
    made = (Moved(plan.id, plan.tenant, plan.level, plan.scope.value, plan.pipeline) for plan in fresh)
    tell_moves(connection, made, BatchState.COLLECTING, BatchState.READY, now)
    tenants = sorted({plan.tenant for plan in fresh})
    insert_once(connection, turns, [{"tenant": tenant, "turn": 0, "first_at": now} for tenant in tenants])
    _set_bits(connection, fresh)
    return len(fresh)


def _takeable(connection: Connection, plans: Sequence[BatchPlan]) -> list[BatchPlan]:
    """The plans that are new and whose events are all still in the pool of that scope and level."""
    known = set(
        connection.execute(select(batches.c.id).where(among(connection, batches.c.id, _ids(plans)))).scalars()
    )
    seqs = {seq for plan in plans for seq in plan.events}
    query = select(pool.c.seq, pool.c.batched).where(among(connection, pool.c.seq, seqs))
    batched: dict[int, int] = dict(connection.execute(query).tuples().all())
    fresh = []
    for plan in plans:
        bit = BITS[plan.scope, plan.level]
        if plan.id in known or any(batched.get(seq, bit) & bit for seq in plan.events):
            continue
        known.add(plan.id)
        fresh.append(plan)
        for seq in plan.events:
            batched[seq] |= bit
    return fresh


def _ids(plans: Sequence[BatchPlan]) -> list[str]:
    return [plan.id for plan in plans]


def _set_bits(connection: Connection, plans: Sequence[BatchPlan]) -> None:
    """Note what the events have joined; those that have joined all they need leave the pool."""
    taken: dict[int, list[int]] = defaultdict(list)
    for plan in plans:
        taken[BITS[plan.scope, plan.level]].extend(plan.events)
    for bit, seqs in taken.items():
        where = among(connection, pool.c.seq, seqs)
        connection.execute(update(pool).where(where).values(batched=pool.c.batched.bitwise_or(bit)))
    every = {seq for plan in plans for seq in plan.events}
    is_complete = pool.c.batched.bitwise_and(pool.c.needed) == pool.c.needed
    connection.execute(delete(pool).where(among(connection, pool.c.seq, every), is_complete))


_COLUMNS = (
    "id",
    "scope",
    "tenant",
    "user",
    "level",
    "lane",
    "pipeline",
    "state",
    "size",
    "tokens",
    "created_at",
    "reason",
    "schema_version",
)


def _row(plan: BatchPlan, at: int) -> tuple[Any, ...]:
    return (
        plan.id,
        plan.scope.value,
        plan.tenant,
        plan.user,
        plan.level.value,
        plan.level.rank,
        plan.pipeline,
        BatchState.READY.value,
        len(plan.events),
        plan.tokens,
        at,
        _reason(plan),
        BATCH_SCHEMA_VERSION,
    )


def _reason(plan: BatchPlan) -> str:
    return f"closed with {len(plan.events)} events"


def _closing(plan: BatchPlan, now: datetime) -> dict[str, Any]:
    return {
        "batch_id": plan.id,
        "from_state": BatchState.COLLECTING.value,
        "to_state": BatchState.READY.value,
        "at": now,
        "reason": _reason(plan),
    }
