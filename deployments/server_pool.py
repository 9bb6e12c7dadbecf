"""The database connections of the embedded Prefect server, which keeps SQLite."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, CreateEnginePlugin, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

PLUGIN: Final = "penstock"
"""The name under which SQLAlchemy finds `FreshAfterFailure`; see pyproject.toml."""
_FAILED: Final = "a statement failed"


def sqlite_url(file: Path) -> str:
    """The URL that the server opens its database `file` with."""
    url = URL.create("sqlite+aiosqlite", database=str(file), query={"plugin": PLUGIN})
    return url.render_as_string(hide_password=False)


class FreshAfterFailure(CreateEnginePlugin):
    """No connection is used again after one of its statements has failed.

    SQLAlchemy 2.0 leaves the cursor of a failed statement to Python, which resets it on the event loop whenever
    it is freed. If its connection waits for a lock by then, for somebody whom only the event loop can serve, the
    whole server stands still until SQLite gives up, 60 seconds later. SQLAlchemy 2.1 closes such cursors: this
    module goes when the upper bound in pyproject.toml goes.
    """

    def update_url(self, url: URL) -> URL:
        """The URL has nothing else for us."""
        return url

    def engine_created(self, engine: Engine) -> None:
        """Listen for failures, and for connections that come back."""
        event.listen(engine, "handle_error", _remember)
        event.listen(engine, "checkin", _discard)


def _remember(failure: ExceptionContext) -> None:
    connection = failure.connection
    if connection is not None and not connection.invalidated:
        connection.info[_FAILED] = True


def _discard(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    if record.info.pop(_FAILED, False):
        record.invalidate(soft=True)
