"""Budgets that operators change while the pipeline runs; where they have not, the setting is in force.

A mirror shows each of them and may be written to by operators. What it shows is theirs only where it is not what was
last written there: a setting that changes is no operator's wish.
"""

from datetime import datetime

from sqlalchemy import select

from ledger.control_tables import budgets
from ledger.engine import Ledger
from ledger.sql import reading, upsert, writing


def read_budget(ledger: Ledger, name: str) -> int | None:
    """What an operator has set; None where nobody has, or has taken it back."""
    with reading(ledger) as connection:
        found: int | None = connection.execute(select(budgets.c.most).where(budgets.c.name == name)).scalar()
    return found


def note_budget(ledger: Ledger, name: str, shown: int | None, now: datetime) -> bool:
    """Take over what the mirror shows where an operator has written it, None to go by the setting; True if so."""
    with writing(ledger, "budgets") as connection:
        row = connection.execute(select(budgets.c.shown).where(budgets.c.name == name)).first()
        if row is not None and row.shown == shown:
            return False
        upsert(connection, budgets, {"name": name, "most": shown, "shown": shown, "at": now})
    return True


def note_budget_shown(ledger: Ledger, name: str, shown: int, now: datetime) -> None:
    """Remember what has been written to the mirror."""
    with writing(ledger, "budgets") as connection:
        most = connection.execute(select(budgets.c.most).where(budgets.c.name == name)).scalar()
        upsert(connection, budgets, {"name": name, "most": most, "shown": shown, "at": now})
