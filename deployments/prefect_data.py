"""What Prefect's own database keeps of an artifact, removed where that database is ours.

Through its API an artifact can be deleted, but the event of its making, which holds its content, stays for as
long as the server keeps events. The embedded server's SQLite file can be asked directly.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from contracts.errors import OperatorError

_KEYS: Final = "(SELECT value FROM json_each(:keys))"
_MADE: Final = (
    "SELECT id FROM events WHERE event LIKE 'prefect.artifact-collection.%' "
    f"""AND resource ->> '$."prefect.resource.name"' IN {_KEYS}"""
)
_DELETE: Final = (
    f"DELETE FROM event_resources WHERE event_id IN ({_MADE})",
    f"DELETE FROM events WHERE id IN ({_MADE})",
    f"DELETE FROM artifact_collection WHERE key IN {_KEYS}",
    f"DELETE FROM artifact WHERE key IN {_KEYS}",
)
# Each making of an artifact is an event of its collection, which the server writes down a second later or, busy, many.
_YET_TO_COME: Final = f"""
    SELECT EXISTS (
        SELECT 1 FROM artifact WHERE key IN {_KEYS} AND created > :since GROUP BY key
        HAVING count(*) > (
            SELECT count(*) FROM events
            WHERE event LIKE 'prefect.artifact-collection.%' AND resource ->> '$."prefect.resource.name"' = artifact.key
        )
    )
"""
PATIENCE_S: Final = 60
RECENT: Final = timedelta(minutes=5)
EVERY_S: Final = 0.2


class PrefectDataError(OperatorError):
    """The embedded server's database could not be changed; nothing was removed from it."""


def embedded_database(home: Path) -> Path:
    """Where the server that Penstock starts keeps its data."""
    return home / "prefect" / "prefect.db"


def remove_artifacts(
    database: Path, keys: Sequence[str], now: datetime, patience_s: float = PATIENCE_S
) -> int:
    """Remove artifacts by key, with every event that repeats them, whether the server runs or not.

    What was made a moment ago is waited for until its events are written down too: they would come after it.

    Returns how many artifacts there were. PrefectDataError when the file is not what Prefect 3.8 writes, is locked,
    or lacks events of the last minutes for longer than `patience_s`.
    """
    if not keys or not database.is_file():
        return 0
    try:
        _await_events(database, keys, now - RECENT, patience_s)
        return _removed(database, keys)
    except sqlite3.Error as error:
        raise PrefectDataError(
            f"Prefect's database {database} could not be changed ({error}): its artifacts still hold words of this "
            "person. Stop what uses it, `penstock down`, and run the same command again; if its form is another "
            "version's, run it with the version of Prefect that Penstock asks for. The ledger is unchanged"
        ) from error


def _await_events(database: Path, keys: Sequence[str], since: datetime, patience_s: float) -> None:
    given = {"keys": orjson.dumps(keys).decode(), "since": f"{since:%Y-%m-%d %H:%M:%S}"}
    deadline = time.monotonic() + patience_s
    with closing(sqlite3.connect(database, timeout=PATIENCE_S)) as connection:
        while connection.execute(_YET_TO_COME, given).fetchone()[0]:
            if time.monotonic() > deadline:
                raise PrefectDataError(
                    f"Prefect's server has not written down all of its last minutes in {database}, so words of this "
                    "person would come after their removal. Run the same command again in five minutes. "
                    "The ledger is unchanged"
                )
            time.sleep(EVERY_S)


def _removed(database: Path, keys: Sequence[str]) -> int:
    with closing(sqlite3.connect(database, timeout=PATIENCE_S)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        with connection:
            removed = [
                connection.execute(statement, {"keys": orjson.dumps(keys).decode()}).rowcount
                for statement in _DELETE
            ]
        # What the server deleted or rewrote before left its words in free pages, and in the log.
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed[-1]
