"""What a fact table of the lake is: its columns, their types, units and meanings.

`flywheel.tables` holds the tables themselves. Writers are checked against them, the raw views are made from
them, and `describe()` repeats their words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")

SQL_TYPES: Final[Mapping[pl.DataType, str]] = MappingProxyType(
    {
        pl.String(): "VARCHAR",
        pl.Int64(): "BIGINT",
        pl.Float64(): "DOUBLE",
        pl.Boolean(): "BOOLEAN",
        TIME: "TIMESTAMP WITH TIME ZONE",
    }
)


@dataclass(frozen=True)
class Column:
    """One column: name, polars type, unit (None where it has none) and meaning. Any column may be null."""

    name: str
    dtype: pl.DataType
    unit: str | None
    meaning: str

    @property
    def sql_type(self) -> str:
        """The DuckDB type that the column has in every view."""
        return SQL_TYPES[self.dtype]


@dataclass(frozen=True)
class Table:
    """One fact table: its meaning, the time column that gives each row its day, and its columns in order."""

    name: str
    meaning: str
    filed_by: str
    columns: tuple[Column, ...]

    @property
    def polars_schema(self) -> pl.Schema:
        """Names and types a frame must have to be written."""
        return pl.Schema({column.name: column.dtype for column in self.columns})
