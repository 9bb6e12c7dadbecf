"""The pools of events still to be batched: who is pending for what, and the events themselves.

An event joins a batch of its tenant, and one of its user where it has one, at its own level and at every lower
one (the cascade). Each of these (scope, level) pairs is a bit: `needed` holds the bits an event must get,
`batched` those it has. An event stands in the pool until it has them all.
"""

from functools import cache
from typing import Final

import polars as pl
from sqlalchemy import BigInteger, Connection, case, func, select, type_coerce

from contracts.batches import Scope
from contracts.events import Priority
from ledger.engine import Ledger
from ledger.frames import TIME, day_number, read_frame
from ledger.sql import reading
from ledger.tables import events, pool

BITS: Final[dict[tuple[Scope, Priority], int]] = {
    (Scope.TENANT, Priority.LOW): 1,
    (Scope.TENANT, Priority.MEDIUM): 2,
    (Scope.TENANT, Priority.HIGH): 4,
    (Scope.USER, Priority.LOW): 8,
    (Scope.USER, Priority.MEDIUM): 16,
    (Scope.USER, Priority.HIGH): 32,
}
"""The bit of `batched` that says an event is in a batch of that scope and level."""


@cache
def needed_bits(rank: int, *, has_user: bool) -> int:
    """The bits that an event of this priority rank (1 to 3) must get."""
    return sum(
        bit
        for (scope, level), bit in BITS.items()
        if level.rank <= rank and (has_user or scope is Scope.TENANT)
    )


def pending_events(ledger: Ledger) -> pl.DataFrame:
    """Every event some batch of which is still to come, in ledger order.

    Columns: seq Int64, key Binary, tenant String, user String (null without one), priority Int8 (rank 1 to 3),
    accepted_at Datetime(us, UTC), tokens Int64, pipeline String, batched Int16 (bits as in `BITS`).
    """
    query = (
        select(
            events.c.seq,
            events.c.key,
            events.c.tenant,
            events.c.user,
            events.c.priority,
            type_coerce(events.c.accepted_at, BigInteger),
            events.c.tokens,
            events.c.pipeline,
            pool.c.batched,
        )
        .join_from(pool, events, pool.c.seq == events.c.seq)
        .order_by(pool.c.seq)
    )
    return read_frame(
        ledger,
        query,
        {
            "seq": pl.Int64(),
            "key": pl.Binary(),
            "tenant": pl.String(),
            "user": pl.String(),
            "priority": pl.Int8(),
            "accepted_at": TIME,
            "tokens": pl.Int64(),
            "pipeline": pl.String(),
            "batched": pl.Int16(),
        },
    )


def newest_event(ledger: Ledger) -> int:
    """The sequence number of the event that came last; 0 while there is none."""
    with reading(ledger) as connection:
        return newest_seq(connection)


def newest_seq(connection: Connection) -> int:
    """As `newest_event`, inside the caller's transaction."""
    return connection.execute(select(func.max(events.c.seq))).scalar() or 0


def topic_counts(ledger: Ledger) -> pl.DataFrame:
    """How many events each topic of each tenant had per UTC day of `occurred_at`, or else `accepted_at`.

    Columns: tenant String, topic String, day Date, n Int64, n_low Int64 (those of LOW priority).
    """
    day = day_number(
        type_coerce(func.coalesce(events.c.occurred_at, events.c.accepted_at), BigInteger)
    ).label("day")
    n_low = func.sum(case((events.c.priority == Priority.LOW.rank, 1), else_=0))
    query = (
        select(events.c.tenant, events.c.topic, day, func.count(), n_low)
        .group_by(events.c.tenant, events.c.topic, day)
        .order_by(events.c.tenant, events.c.topic, day)
    )
    schema = {
        "tenant": pl.String(),
        "topic": pl.String(),
        "day": pl.Int32(),
        "n": pl.Int64(),
        "n_low": pl.Int64(),
    }
    return read_frame(ledger, query, schema).with_columns(pl.col("day").cast(pl.Date))


def low_events(ledger: Ledger) -> pl.DataFrame:
    """The LOW events that are in no batch yet, in ledger order.

    Columns: seq Int64, tenant String, topic String, occurred_at and accepted_at Datetime(us, UTC).
    """
    query = (
        select(
            events.c.seq,
            events.c.tenant,
            events.c.topic,
            type_coerce(events.c.occurred_at, BigInteger),
            type_coerce(events.c.accepted_at, BigInteger),
        )
        .join_from(pool, events, pool.c.seq == events.c.seq)
        .where(pool.c.batched == 0, events.c.priority == Priority.LOW.rank)
        .order_by(pool.c.seq)
    )
    return read_frame(
        ledger,
        query,
        {
            "seq": pl.Int64(),
            "tenant": pl.String(),
            "topic": pl.String(),
            "occurred_at": TIME,
            "accepted_at": TIME,
        },
    )
