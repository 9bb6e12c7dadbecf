"""The schema of a ledger and its revisions: new ledgers are made, old ones migrated, newer ones refused.

Alembic takes a fifth of a second to import, so it is imported only when there is something to migrate.
"""

from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from ledger.errors import NewerLedgerError

HEAD: Final = "0013"
"""The revision this version writes; a test holds it equal to the head of the scripts."""

SCRIPTS: Final = Path(__file__).parent / "migrations"
MIGRATION_LOCK: Final = 7_306_086_770_313_281_124
_ONE_AT_A_TIME: Final = Lock()
"""What Alembic works on is one for the whole process: threads that open two ledgers would migrate each other's."""


def bring_up_to_date(ledger: Engine, write_option: str) -> None:
    """Leave the schema at `HEAD`; processes that come at once take turns and the first one migrates.

    `write_option` is the execution option that makes a SQLite transaction a writing one.

    Raises:
        NewerLedgerError: the database's revision is not one of ours; nothing has been changed.
    """
    with ledger.connect() as connection:
        if current_revision(connection) == HEAD:
            return
    with ledger.connect() as connection:
        connection.execution_options(**{write_option: True})
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            with _ONE_AT_A_TIME:
                _migrate(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision recorded in the database; None for a database that was never a ledger."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _migrate(connection: Connection) -> None:
    """Run the missing migrations inside the transaction that holds the lock."""
    found = current_revision(connection)
    if found == HEAD:
        return
    from alembic import command  # noqa: PLC0415, see the module's docstring
    from alembic.config import Config  # noqa: PLC0415, see the module's docstring
    from alembic.script import ScriptDirectory  # noqa: PLC0415, see the module's docstring

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise NewerLedgerError(
            f"the ledger is at revision {found}, which this version does not know (it writes {HEAD}); "
            "it has been left as it was: run the version that wrote it, or a newer one"
        )
    command.upgrade(config, "head")
