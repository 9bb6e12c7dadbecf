"""Dead letters: work that failed for good, with everything needed to understand it and to try it again."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ledger.engine import Ledger
from ledger.outcome_tables import dead_letters
from ledger.sql import by_prefix, insert_once, reading, writing

LETTER_SCHEMA_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One failure: where, what was raised, what it had cost, and what the debugger says.

    `prompt` is the name and version of the prompt at work, None where none was; `payload` holds the ids of the
    batch's events and whatever else is needed to try again, as JSON.
    """

    id: str
    batch: str
    stage: str
    tenant: str
    error: str
    message: str
    traceback: str
    prompt: str | None
    diagnosis: dict[str, Any]
    cost_usd: Decimal
    attempts: int
    at: datetime
    payload: Any


def bury(ledger: Ledger, letter: DeadLetter) -> None:
    """Keep a dead letter; one with the same id is left as it is."""
    with writing(ledger) as connection:
        bury_within(connection, letter)


def bury_within(connection: Connection, letter: DeadLetter) -> None:
    """As `bury`, inside the caller's transaction."""
    values = asdict(letter) | {"schema_version": LETTER_SCHEMA_VERSION, "batch_id": letter.batch}
    del values["batch"]
    insert_once(connection, dead_letters, values)


def list_letters(
    ledger: Ledger, limit: int = 1_000, tenant: str | None = None, stage: str | None = None
) -> tuple[DeadLetter, ...]:
    """The latest dead letters, newest first, of one tenant or stage if it is given."""
    query = select(dead_letters).order_by(dead_letters.c.at.desc(), dead_letters.c.id).limit(limit)
    if tenant is not None:
        query = query.where(dead_letters.c.tenant == tenant)
    if stage is not None:
        query = query.where(dead_letters.c.stage == stage)
    with reading(ledger) as connection:
        return tuple(_letter(row) for row in connection.execute(query))


def read_letter(ledger: Ledger, letter_id: str) -> DeadLetter | None:
    """The dead letter with this id, or the only one whose id begins so; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, dead_letters, letter_id)
    return None if row is None else _letter(row)


def _letter(row: Row[Any]) -> DeadLetter:
    values = {field.name: getattr(row, field.name) for field in fields(DeadLetter) if field.name != "batch"}
    return DeadLetter(batch=row.batch_id, **values)
