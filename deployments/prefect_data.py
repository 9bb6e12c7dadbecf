"""What Prefect's own database keeps of an artifact, removed where that database is ours.

Through its API an artifact can be deleted, but the event of its making, which holds its content, stays for as
long as the server keeps events. The embedded server's SQLite file can be asked directly.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
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
PATIENCE_S: Final = 60


class PrefectDataError(OperatorError):
    """The embedded server's database could not be changed; nothing was removed from it."""


def embedded_database(home: Path) -> Path:
    """Where the server that Penstock starts keeps its data."""
    return home / "prefect" / "prefect.db"


def remove_artifacts(database: Path, keys: Sequence[str]) -> int:
    """Remove artifacts by key, with every event that repeats them, whether the server runs or not.

    Returns how many artifacts there were. PrefectDataError when the file is not what Prefect 3.8 writes, or is locked.
    """
    if not keys or not database.is_file():
        return 0
    try:
        return _removed(database, keys)
    except sqlite3.Error as error:
        raise PrefectDataError(
            f"Prefect's database {database} could not be changed ({error}): its artifacts still hold words of this "
            "person. Stop what uses it, `penstock down`, and run the same command again; if its form is another "
            "version's, run it with the version of Prefect that Penstock asks for. The ledger is unchanged"
        ) from error


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
