"""The few places where the two databases differ: transactions, locks, bulk rows, conflicts, large sets."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    TextClause,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from ledger.engine import TURNS, WRITE, Ledger
from ledger.errors import AmbiguousIdError

# SQLite takes a block of rows in one step, during which other threads of the process run; row by row none gets on.
_BLOCK = 500
TURN_S: Final = 5


@contextmanager
def reading(ledger: Ledger) -> Iterator[Connection]:
    """A connection to read with; nothing it does is kept."""
    with ledger.connect() as connection:
        yield connection


Writable = Ledger | Connection
"""A ledger, or a write transaction of one: what takes either becomes a part of an open transaction."""


@contextmanager
def writing(ledger: Writable, lock: str | None = None) -> Iterator[Connection]:
    """One write transaction, committed at the end or rolled back by an exception; an open one is its opener's.

    On SQLite it holds the write lock from its first statement on. On PostgreSQL writers that name the same
    `lock` take turns, so in both a check followed by a write is exact across processes.
    """
    locks = () if lock is None else (lock,)
    if isinstance(ledger, Connection):
        also_locked(ledger, *locks)
        yield ledger
        return
    with _turn(ledger), ledger.connect() as connection:
        connection.execution_options(**{WRITE: True})
        with connection.begin():
            also_locked(connection, *locks)
            yield connection


@contextmanager
def _turn(ledger: Ledger) -> Iterator[None]:
    """One of this process's threads at a time, where the ledger is SQLite.

    Who waits for SQLite's own lock sleeps, up to a tenth of a second each time, and gets it by luck. This is a
    courtesy, and no guarantee: after `TURN_S` a thread tries without it.
    """
    lock = ledger.get_execution_options().get(TURNS)
    if lock is None:
        yield
        return
    is_ours = lock.acquire(timeout=TURN_S)
    try:
        yield
    finally:
        if is_ours:
            lock.release()


def also_locked(connection: Connection, *locks: str) -> None:
    """Take more named locks in a write transaction; always in the same order, or two wait for each other."""
    if not is_sqlite(connection):
        for lock in locks:
            connection.execute(select(func.pg_advisory_xact_lock(lock_number(lock))))


def is_sqlite(connection: Connection) -> bool:
    """Whether the connection leads to SQLite (otherwise to PostgreSQL)."""
    return connection.dialect.name == "sqlite"


def lock_number(name: str) -> int:
    """The 64-bit number of a named advisory lock."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    """Insert many rows of driver values (integers for times and money): the fast road, no type is applied."""
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join(["?" if is_sqlite(connection) else "%s"] * len(columns))
    insert = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
    whole = len(rows) // _BLOCK * _BLOCK if is_sqlite(connection) else 0
    for start in range(0, whole, _BLOCK):
        block = tuple(itertools.chain.from_iterable(rows[start : start + _BLOCK]))
        connection.exec_driver_sql(insert + f", ({marks})" * (_BLOCK - 1), block)
    if len(rows) > whole:
        connection.exec_driver_sql(insert, rows[whole:])


def insert_once(
    connection: Connection, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Insert a row, or rows of the same shape; a row whose key is there already is left as it is."""
    rows = [values] if isinstance(values, Mapping) else values
    if rows:
        connection.execute(_insertion(table, tuple(rows[0]), replaces=False), rows)


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row; False where its key is there already, and the row is left as it is."""
    return bool(connection.execute(_insertion(table, tuple(values), replaces=False), values).rowcount)


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row by its primary key, or make the row that is there equal to it."""
    connection.execute(_insertion(table, tuple(values), replaces=True), values)


@cache
def _insertion(table: Table, columns: tuple[str, ...], *, replaces: bool) -> TextClause:
    """As text: SQLAlchemy 2.0 compiles ON CONFLICT anew each time, which takes half a millisecond."""
    conflict = "DO NOTHING"
    if replaces:
        keys = [column.name for column in table.primary_key]
        rest = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
        conflict = f"({', '.join(keys)}) DO UPDATE SET {rest}"
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join(f":{name}" for name in columns)
    statement = text(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT {conflict}')
    return statement.bindparams(*(bindparam(name, type_=table.c[name].type) for name in columns))


def among(
    connection: Connection, column: ColumnElement[Any], values: Iterable[int | str]
) -> ColumnElement[bool]:
    """`column IN values` for any number of values: one bound parameter, whatever the database's limit."""
    if is_sqlite(connection):
        array = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(array.c.value))
    return column == func.any(bindparam(None, list(values), ARRAY(column.type)))


def by_prefix(connection: Connection, table: Table, prefix: str) -> Row[Any] | None:
    """The row whose id is `prefix`, or the only one whose id begins with it; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin with it.
    """
    key: Column[str] = table.c.id
    exact = connection.execute(select(table).where(key == prefix)).first()
    if exact is not None or not prefix:
        return exact
    found = connection.execute(select(table).where(func.substr(key, 1, len(prefix)) == prefix).limit(2)).all()
    if len(found) > 1:
        raise AmbiguousIdError(f"more than one id in {table.name} begins with {prefix!r}; give more of it")
    return found[0] if found else None
