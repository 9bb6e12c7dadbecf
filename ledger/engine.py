"""Opening and closing a ledger: its connections, its transactions, its schema.

SQLAlchemy is told to leave transactions to us on SQLite: reads begin deferred, writes begin IMMEDIATE, so that
what a writer has checked is still true when it writes (`ledger.sql.writing` says which is which).
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from ledger.errors import LedgerUnavailableError
from ledger.faults import Fault, in_operators_words
from ledger.schema import bring_up_to_date

Ledger = Engine
"""An open ledger; every function of this package takes one first."""

WRITE: Final = "ledger_write"
"""The execution option of a connection whose next transaction writes."""
TURNS: Final = "ledger_turns"
"""The execution option of an SQLite ledger that holds the lock by which writers of this process take turns."""

# Pages of 16 KB halve the time of bulk intake: fewer system calls for the same rows. They take effect only when
# the file is made. A checkpoint every 64 MB instead of every 4 writes a busy index page once, not sixteen times.
PRAGMAS: Final = (
    "page_size=16384",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "cache_size=-65536",
    "wal_autocheckpoint=4096",
    "temp_store=MEMORY",
    # What is deleted, a purged letter or an erased person, is wiped and does not stay in free pages of the file.
    "secure_delete=ON",
)
ALONE: Final = "ledger_alone"
"""The execution option of what SQLite does in no transaction, such as writing its file anew."""
LOCK_PATIENCE_S: Final = 60
"""How long a statement waits for a lock of somebody else, a backup perhaps, before it is an error.

Twice the half minute that work has to outlast, and half of the shortest usual lease. Another patience stands in the
address: `?timeout=5` for SQLite, `?options=-c%20lock_timeout%3D5s` for PostgreSQL.
"""
# An error of the database is logged and shown: its statement may be, what people wrote may not.
POOL: Final[Mapping[str, Any]] = {"pool_size": 8, "max_overflow": 56, "hide_parameters": True}
CONNECT_TIMEOUT_S: Final = 10
PATIENCE_S: Final = 5


def open_ledger(url: str) -> Ledger:
    """Open the ledger at `sqlite:///path` or `postgresql://...`, creating or migrating its schema first.

    Any number of processes may open the same ledger at once.

    Raises:
        LedgerUnavailableError: the address is not one of these, or nothing answers there.
        NewerLedgerError: a newer version wrote it; it is left as it was.
    """
    address = _address(url)
    ledger = _sqlite(address) if address.get_backend_name() == "sqlite" else _postgresql(address)
    event.listen(ledger, "handle_error", in_operators_words(_public(address)))
    try:
        bring_up_to_date(ledger, WRITE)
    except DBAPIError as error:
        ledger.dispose()
        raise LedgerUnavailableError(_unavailable(address, error)) from error
    except BaseException:
        ledger.dispose()
        raise
    return ledger


def close_ledger(ledger: Ledger) -> None:
    """Close the ledger's idle connections; the ones in use close when they are given back."""
    ledger.dispose()


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise LedgerUnavailableError(_unusable("it cannot be read as one")) from error
    scheme = address.drivername.partition("+")[0]
    if scheme == "sqlite" and address.database and address.database != ":memory:":
        return address.set(drivername="sqlite+pysqlite")
    if scheme in {"postgresql", "postgres"}:
        return address.set(drivername="postgresql+psycopg")
    raise LedgerUnavailableError(_unusable(f"{_public(address)} is neither"))


def _unusable(why: str) -> str:
    return (
        "the ledger's address must be sqlite:///path/to/ledger.db or postgresql://user@host/database, "
        f"but {why}; correct PENSTOCK_DATABASE_URL"
    )


def _sqlite(address: URL) -> Ledger:
    try:
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerUnavailableError(
            f"the folder of the ledger {_public(address)} cannot be made ({error.strerror}); "
            "check the path and its permissions"
        ) from error
    # The driver's own name for SQLite's busy timeout.
    arguments = {} if "timeout" in address.query else {"timeout": LOCK_PATIENCE_S}
    ledger = create_engine(address, **POOL, connect_args=arguments, execution_options={TURNS: Lock()})
    event.listen(ledger, "connect", _prepare_sqlite)
    event.listen(ledger, "begin", _begin_sqlite)
    return ledger


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own
    for pragma in PRAGMAS:
        _patiently(connection, f"PRAGMA {pragma}")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


@retry(
    retry=retry_if_exception(_is_busy),
    stop=stop_after_delay(PATIENCE_S),
    wait=wait_fixed(0.02),
    reraise=True,
)
def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement that SQLite refuses at once, without its busy timeout, while another process opens the file.

    Only making a new file a WAL one is such: https://sqlite.org/wal.html, "Sometimes Queries Return SQLITE_BUSY".
    """
    connection.execute(statement)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(ALONE, False):
        return
    writes = options.get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(address: URL) -> Ledger:
    arguments: dict[str, Any] = {}
    if "connect_timeout" not in address.query:
        arguments["connect_timeout"] = CONNECT_TIMEOUT_S
    ledger = create_engine(address, **POOL, pool_pre_ping=True, connect_args=arguments)
    if "lock_timeout" not in str(address.query.get("options", "")):
        event.listen(ledger, "connect", _bound_waiting)
    return ledger


def _bound_waiting(connection: DBAPIConnection, _record: object) -> None:
    """PostgreSQL would wait for a lock without end. Not as a startup option: poolers refuse those."""
    connection.cursor().execute(f"SET lock_timeout = '{LOCK_PATIENCE_S}s'")
    connection.commit()


def _public(address: URL) -> str:
    """The address as it may be shown: without user secrets, wherever they were given."""
    shown = URL.create(
        address.drivername.partition("+")[0],
        address.username,
        None,
        address.host,
        address.port,
        address.database,
    ).update_query_dict(address.difference_update_query(["password", "sslpassword"]).query)
    return shown.render_as_string()


def _unavailable(address: URL, error: DBAPIError) -> str:
    return Fault.GONE.format(where=_public(address), said=" ".join(str(error.orig).split()))
