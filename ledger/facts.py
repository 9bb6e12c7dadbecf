"""The facts of a day, for the analysts' lake: tables by name, a UTC day at a time.

A row belongs to the day it was made (a judgement to the day it was judged), and may still change later: a
batch's state, an item's verdict. Columns carry their unit (`_usd`, `_ms`), truths begin with `is_`, times end
in `_at`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    String,
    func,
    select,
    type_coerce,
)

from ledger.columns import NANO, Moment, Usd
from ledger.engine import Ledger
from ledger.frames import TIME, day_number, read_frame
from ledger.outcome_tables import deliverables
from ledger.sql import reading
from ledger.tables import SERIAL, batches, items, judgements, model_calls


@dataclass(frozen=True, slots=True)
class _Facts:
    """Where a table's rows come from, the time that gives each its day, and its columns by name, in order."""

    source: FromClause
    made_at: Column[datetime]
    columns: Mapping[str, ColumnElement[Any]]


_WHOSE = ("tenant", "user", "level", "scope")


def _columns(*groups: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    return {name: column for group in groups for name, column in group.items()}


def _of(table: FromClause, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in names}


_ITEMS = items.join(batches, items.c.batch_id == batches.c.id)

_FACTS: Final[dict[str, _Facts]] = {
    "batches": _Facts(
        batches,
        batches.c.created_at,
        _columns(
            {"batch_id": batches.c.id},
            _of(batches, "scope", "tenant", "user", "level", "pipeline", "state", "size", "tokens"),
            _of(batches, "created_at", "started_at", "finished_at", "reason"),
        ),
    ),
    "generations": _Facts(
        _ITEMS,
        items.c.created_at,
        _columns(
            _of(items, "batch_id", "item", "stage", "kind", "form"),
            _of(batches, *_WHOSE),
            _of(items, "prompt", "prompt_version", "model"),
            {"verdict": func.upper(items.c.verdict, type_=String)},
            _of(items, "created_at", "judged_at"),
        ),
    ),
    "judgements": _Facts(
        judgements.join(
            _ITEMS, (judgements.c.batch_id == items.c.batch_id) & (judgements.c.item == items.c.item)
        ),
        judgements.c.at,
        _columns(
            _of(items, "batch_id", "item", "stage", "kind", "form"),
            _of(batches, "tenant", "level", "scope"),
            _of(judgements, "criterion", "score", "threshold"),
            {"is_passed": judgements.c.passed},
            _of(judgements, "reason", "judge_model", "rubric_version"),
            _of(items, "prompt", "prompt_version", "model"),
            {"judged_at": judgements.c.at},
        ),
    ),
    "model_calls": _Facts(
        model_calls,
        model_calls.c.started_at,
        _columns(
            {"call_id": model_calls.c.id},
            _of(model_calls, "batch_id", "tenant", "user", "feature", "pipeline", "stage", "item", "purpose"),
            _of(model_calls, "model", "prompt_version", "rubric_version", "state"),
            _of(model_calls, "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"),
            _of(model_calls, "cost_usd", "latency_ms", "started_at", "error"),
        ),
    ),
    "deliverables": _Facts(
        deliverables,
        deliverables.c.created_at,
        _columns(
            {"deliverable_id": deliverables.c.id},
            _of(
                deliverables, "batch_id", "tenant", "user", "kind", "form", "title", "created_at", "cost_usd"
            ),
        ),
    ),
}


def fact_tables() -> tuple[str, ...]:
    """The names of the tables that `read_facts` knows."""
    return tuple(_FACTS)


def fact_days(ledger: Ledger, table: str) -> list[date]:
    """The UTC days that have rows in the table, earliest first."""
    facts = _FACTS[table]
    day = day_number(type_coerce(facts.made_at, SERIAL))
    with reading(ledger) as connection:
        days = connection.execute(select(day).select_from(facts.source).distinct().order_by(day)).scalars()
        return [date(1970, 1, 1) + timedelta(days=number) for number in days]


def read_facts(ledger: Ledger, table: str, day: date) -> pl.DataFrame:
    """The table's rows of one UTC day, in the order they were made.

    Numbers are Int64 or Float64 (money too), times Datetime(us, UTC), truths Boolean, all else String; any may
    be null. The columns' names and order are those of `_FACTS`.
    """
    facts = _FACTS[table]
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
