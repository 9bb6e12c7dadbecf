"""The tenants whose events have been batched."""

from sqlalchemy import select

from ledger.engine import Ledger
from ledger.sql import reading
from ledger.tables import turns


def tenant_names(ledger: Ledger) -> tuple[str, ...]:
    """The names, in alphabetical order."""
    with reading(ledger) as connection:
        return tuple(connection.execute(select(turns.c.tenant).order_by(turns.c.tenant)).scalars())
