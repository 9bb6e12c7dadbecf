"""Parquet: read by polars a slice of rows at a time, so that memory does not grow with the file."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from tasks.sources.records import Limits, RawRecord, decode, too_large

_FIRST_ROWS: Final = 500
_SLICE_ROWS: Final = 8_000
_SLICE_BYTES: Final = 16 * 1024 * 1024


def read_parquet(path: Path, limits: Limits) -> Iterator[RawRecord]:
    """One record a row, as JSON; `line` is the row's number.

    A null in a table is a field that is not there. Times become ISO 8601 text, decimals plain text. A file
    that cannot be read further ends with a problem at the row where it does.
    """
    row = 0
    try:
        for frame in _slices(pl.scan_parquet(path, glob=False)):
            for values in frame.iter_rows(named=True):
                row += 1
                yield _record(row, values, limits)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).partition("\n")[0]
        yield RawRecord(row + 1, b"", None, f"the file cannot be read as Parquet from here on: {reason}")


def _slices(table: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The table in slices of about `_SLICE_BYTES`.

    Slices and not `collect_batches`: that reads ahead without bound (500 MB for a file of 400 MB).
    """
    at, rows = 0, _FIRST_ROWS
    while (frame := table.slice(at, rows).collect()).height:
        yield frame
        at += frame.height
        rows = max(1, min(_SLICE_ROWS, _SLICE_BYTES * frame.height // max(1, int(frame.estimated_size()))))


def _record(row: int, values: dict[str, Any], limits: Limits) -> RawRecord:
    try:
        raw = orjson.dumps(_without_nulls(values), default=_as_text)
    except TypeError as error:
        shown = repr(values).encode()[: limits.record_bytes]
        return RawRecord(row, shown, None, f"the row cannot be JSON: {error}")
    return decode(row, raw) if len(raw) <= limits.record_bytes else too_large(row, raw, limits)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401, any cell
    if isinstance(value, dict):
        return {name: _without_nulls(cell) for name, cell in value.items() if cell is not None}
    if isinstance(value, list):
        return [_without_nulls(cell) for cell in value]
    return value


def _as_text(value: object) -> str:
    """Decimals and durations, which JSON does not have; TypeError for what has no text either (binary columns)."""
    if isinstance(value, (Decimal, timedelta)):
        return str(value)
    raise TypeError
