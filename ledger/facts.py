"""The facts of a day, for the analysts' lake: tables by name, a UTC day at a time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Boolean, ColumnElement, Float, Integer, func, select, type_coerce

from ledger.columns import NANO, Moment, Usd
from ledger.engine import Ledger
from ledger.fact_tables import FACTS
from ledger.frames import TIME, day_number, read_frame
from ledger.sql import reading
from ledger.tables import SERIAL, batch_history, events


def fact_tables() -> tuple[str, ...]:
    """The names of the tables that `read_facts` knows."""
    return tuple(FACTS)


def newest_fact(ledger: Ledger) -> tuple[int, ...]:
    """What grows with every event that is taken in and every move of a batch: the same means nothing is new."""
    newest = (select(func.coalesce(func.max(column), 0)) for column in (events.c.seq, batch_history.c.id))
    with reading(ledger) as connection:
        return tuple(connection.execute(query).scalar_one() for query in newest)


def fact_days(ledger: Ledger, table: str) -> list[date]:
    """The UTC days that have rows in the table, earliest first."""
    facts = FACTS[table]
    day = day_number(type_coerce(facts.made_at, SERIAL))
    with reading(ledger) as connection:
        days = connection.execute(select(day).select_from(facts.source).distinct().order_by(day)).scalars()
        return [date(1970, 1, 1) + timedelta(days=number) for number in days]


def read_facts(ledger: Ledger, table: str, day: date) -> pl.DataFrame:
    """The table's rows of one UTC day, in the order they were made.

    Numbers are Int64 or Float64 (money too), times Datetime(us, UTC), truths Boolean, all else String; any may
    be null. The columns' names and order are those of `ledger.fact_tables.FACTS`.
    """
    facts = FACTS[table]
    start = datetime.combine(day, time(), UTC)
    columns = list(facts.columns.items())
    query = (
        select(*(_stored(column).label(name) for name, column in columns))
        .select_from(facts.source)
        .where(facts.made_at >= start, facts.made_at < start + timedelta(days=1))
        .order_by(facts.made_at, *(column for _, column in columns[:2]))
    )
    schema = {name: _dtype(column) for name, column in columns}
    money = [name for name, column in columns if isinstance(column.type, Usd)]
    return read_frame(ledger, query, schema).with_columns(
        pl.col(name).cast(pl.Float64) / float(NANO) for name in money
    )


def _stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as the database stores it: times and money as integers."""
    return type_coerce(column, SERIAL) if isinstance(column.type, Moment | Usd) else column


def _dtype(column: ColumnElement[Any]) -> pl.DataType:
    kind = column.type
    if isinstance(kind, Moment):
        return TIME
    if isinstance(kind, Boolean):
        return pl.Boolean()
    if isinstance(kind, Float):
        return pl.Float64()
    return pl.Int64() if isinstance(kind, Integer | Usd) else pl.String()
