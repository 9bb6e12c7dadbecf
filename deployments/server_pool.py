"""The database connections of the embedded Prefect server, which keeps SQLite."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, CreateEnginePlugin, Engine, Pool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

PLUGIN: Final = "penstock"
"""The name under which SQLAlchemy finds `PatientConnections`; see pyproject.toml."""
CONNECTIONS: Final = 64
"""Who waits for the lock has a connection. With SQLAlchemy's 15, whoever holds it may wait for one of those."""
_FAILED: Final = "a statement failed"


def sqlite_url(file: Path) -> str:
    """The URL that the server opens its database `file` with."""
    url = URL.create("sqlite+aiosqlite", database=str(file), query={"plugin": PLUGIN})
    return url.render_as_string(hide_password=False)


class PatientConnections(CreateEnginePlugin):
    """Writers take turns, and no connection is used again after one of its statements has failed.

    Prefect begins its transactions DEFERRED. Of two that read and then write, SQLite fails one at once, whatever
    its busy timeout ("database is locked"; https://sqlite.org/isolation.html), the server answers 503, and its
    client comes again in 2, 4, 8, 16 and 32 seconds, and then no more. Begun IMMEDIATE, they wait for each other.

    SQLAlchemy 2.0 leaves the cursor of a failed statement to Python, which resets it on the event loop whenever
    it is freed. If its connection waits for a lock by then, for somebody whom only the event loop can serve, the
    whole server stands still until SQLite gives up, 60 seconds later. SQLAlchemy 2.1 closes such cursors: `_remember`
    and `_discard` go when the upper bound in pyproject.toml goes.
    """

    def update_url(self, url: URL) -> URL:
        """The URL has nothing else for us."""
        return url

    def handle_pool_kwargs(self, _pool: type[Pool], kwargs: MutableMapping[str, Any]) -> None:
        """Connections for all who wait."""
        kwargs["max_overflow"] = CONNECTIONS

    def engine_created(self, engine: Engine) -> None:
        """Listen for transactions that begin, for failures, and for connections that come back."""
        event.listen(engine, "before_cursor_execute", _immediately, retval=True)
        event.listen(engine, "handle_error", _remember)
        event.listen(engine, "checkin", _discard)


def _immediately(
    _connection: Connection,
    _cursor: DBAPICursor,
    statement: str,
    parameters: object,
    _context: object,
    _executemany: bool,
) -> tuple[str, object]:
    return "BEGIN IMMEDIATE" if statement == "BEGIN DEFERRED" else statement, parameters


def _remember(failure: ExceptionContext) -> None:
    connection = failure.connection
    if connection is not None and not connection.invalidated:
        connection.info[_FAILED] = True


def _discard(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    if record.info.pop(_FAILED, False):
        record.invalidate(soft=True)
