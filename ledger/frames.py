"""Rows in bulk, as polars frames."""

from typing import Any, Final

import polars as pl
from sqlalchemy import ColumnElement, Select

from ledger.engine import Ledger
from ledger.sql import reading

TIME: Final = pl.Datetime("us", "UTC")
DAY_US: Final = 86_400_000_000
CHUNK: Final = 50_000


def read_frame(ledger: Ledger, query: Select[Any], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The query's rows as a frame of that schema, column by column in its order; times as microseconds.

    Rows come in chunks from the server, so that a million of them never stand in memory as Python objects.
    """
    names = list(schema)
    frames = [pl.DataFrame(schema=schema)]
    with reading(ledger) as connection:
        rows = connection.execution_options(stream_results=True).execute(query)
        for chunk in rows.partitions(CHUNK):
            columns = zip(names, zip(*chunk, strict=True), strict=True)
            frames.append(pl.DataFrame([_series(name, schema[name], values) for name, values in columns]))
    return pl.concat(frames)


def _series(name: str, dtype: pl.DataType, values: tuple[object, ...]) -> pl.Series:
    if isinstance(dtype, pl.Datetime):
        return pl.Series(name, values, pl.Int64).cast(TIME)
    return pl.Series(name, values, dtype)


def day_number(micros: ColumnElement[int]) -> ColumnElement[int]:
    """The day number since the epoch, rounded down before it too, where SQL's division rounds toward zero."""
    into_day = (micros % DAY_US + DAY_US) % DAY_US
    return (micros - into_day) // DAY_US
