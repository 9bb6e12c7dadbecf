"""The lake on disk: one Parquet file per table and day, rewritten whole.

    <root>/<table>/day=YYYY-MM-DD/part.parquet     what any tool reads: a link to the day's present version
    <root>/.versions/<table>/day=.../<hash>.parquet    the versions, never changed once written

Why versions: DuckDB opens a Parquet file once to plan a query and again to scan it, so a file replaced in
between gives errors and, worse, rows of one version counted by the footer of the other. The views read the
versions, which do not change, so a query sees each day as it was when the views were made. A superseded
version is kept for a while (`KEEP`) for connections that still read it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl

from flywheel.errors import LakeSchemaError
from flywheel.files import point, write_whole
from flywheel.schema import Table
from flywheel.tables import TABLES

KEEP: Final = timedelta(hours=6)
"""How long a superseded version stays readable: longer than any query, as long as a notebook's sitting."""

_PART = "part.parquet"
_VERSIONS = ".versions"


def write_day(root: Path, table: str, day: date, frame: pl.DataFrame, *, keep: timedelta = KEEP) -> Path:
    """Make `frame` the whole of a table's day and return its path, `<root>/<table>/day=.../part.parquet`.

    The same frame again changes nothing; an empty frame removes the day. Versions superseded for longer than
    `keep` are removed from the table. One writer per table and day at a time; readers are never disturbed.
    Raises LakeSchemaError for a frame that does not fit the table, before anything is written.
    """
    content = _checked(_table(table), frame)
    part = root / table / f"day={day.isoformat()}" / _PART
    if frame.is_empty():
        _retire(part)
        part.unlink(missing_ok=True)
    else:
        _replace(root, part, _parquet(content))
    _sweep(root, table, keep)
    return part


def days(root: Path, table: str) -> list[date]:
    """The days for which the table has rows, in order; empty where nothing was written yet."""
    return [_day(part) for part in _parts(root, _table(table).name)]


def present_versions(root: Path, table: str) -> list[Path]:
    """The absolute path of each day's present version, in order of days; these files never change."""
    versions = []
    for part in _parts(root, _table(table).name):
        with suppress(FileNotFoundError):  # the day was removed since it was listed
            versions.append(part.resolve(strict=True))
    return versions


def forget(root: Path) -> int:
    """Remove every superseded version now, though somebody may still read it; how many there were."""
    removed = 0
    for table in TABLES:
        present = set(present_versions(root, table))
        for version, _ in list(_stamps(root.resolve() / _VERSIONS / table)):
            if version not in present:
                version.unlink(missing_ok=True)
                removed += 1
    return removed


def _table(name: str) -> Table:
    if name not in TABLES:
        raise LakeSchemaError(f"the lake has no table {name!r}; its tables are {', '.join(TABLES)}")
    return TABLES[name]


def _checked(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in the table's column order; LakeSchemaError names the first column that does not fit."""
    for name in frame.columns:
        if name not in table.polars_schema:
            raise LakeSchemaError(f"table {table.name}: column {name} is not in its schema; leave it out")
    for name, dtype in table.polars_schema.items():
        if name not in frame.columns:
            raise LakeSchemaError(f"table {table.name}: column {name} is missing; add it as {dtype}")
        if frame.schema[name] != dtype:
            found = frame.schema[name]
            raise LakeSchemaError(f"table {table.name}: column {name} is {found}; cast it to {dtype}")
    return frame.select(table.polars_schema.names())


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _replace(root: Path, part: Path, data: bytes) -> None:
    name = f"{sha256(data).hexdigest()[:32]}.parquet"
    version = root / _VERSIONS / part.parent.relative_to(root) / name
    if part.is_symlink() and part.readlink().name == name:
        return
    write_whole(version, data)
    _retire(part)
    point(part, version)


def _retire(part: Path) -> None:
    """Stamp the version behind `part` with the time it is superseded; the sweep counts from there."""
    if part.is_symlink():
        os.utime(part.resolve(strict=True))


def _sweep(root: Path, table: str, keep: timedelta) -> None:
    """Remove what has been superseded, or left half written by a crash, for longer than `keep`.

    What is present is asked first: a version superseded after that carries a fresh stamp or is still listed.
    """
    present = set(present_versions(root, table))
    stamps = dict(_stamps(root.resolve() / _VERSIONS / table))
    newest = max(stamps.values(), default=0.0)
    for version, stamp in stamps.items():
        if stamp < newest - keep.total_seconds() and version not in present:
            version.unlink(missing_ok=True)


def _stamps(versions: Path) -> Iterator[tuple[Path, float]]:
    for version in versions.glob("day=*/*"):
        with suppress(FileNotFoundError):  # another writer's sweep was here
            yield version, version.stat().st_mtime


def _parts(root: Path, table: str) -> list[Path]:
    return sorted((root / table).glob(f"day=*/{_PART}"))


def _day(part: Path) -> date:
    return date.fromisoformat(part.parent.name.removeprefix("day="))
