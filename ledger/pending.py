"""The events that are still to be batched, and how many there were of what, as polars frames."""

import polars as pl
from sqlalchemy import BigInteger, case, func, select, type_coerce

from contracts.events import Priority
from ledger.engine import Ledger
from ledger.frames import TIME, day_number, read_frame
from ledger.tables import events, pool


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
