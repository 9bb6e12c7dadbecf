"""Dead letters: what could not be processed, with everything needed to understand it and to try again."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, select, update

from contracts.versions import CURRENT, upgraded
from ledger.control_tables import mirrors
from ledger.engine import Ledger
from ledger.outcome_tables import dead_letters
from ledger.signals import signal
from ledger.sql import also_locked, by_prefix, insert_once, reading, writing

KIND: Final = "dead letter"
HOUR: Final = timedelta(hours=1)
OUTAGE_AN_HOUR: Final = 500
"""So many letters within an hour are not single faults any more."""
OUTAGE: Final = "the outage that was told"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One batch, one delivery or one attachment that ended in an error; an attachment is of no batch.

    `payload` is what was worked on: `{"events": [...]}`, `{"deliverable": id, "message": outbox id}`, or
    `{"attachment": {...}}`.
    `verdicts` are the judge's scores by item and criterion so far; `started_at` is when work on it began, `at`
    when it was given up, `replayed_at` when it was sent back to work.
    """

    id: str
    batch: str | None
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
    verdicts: dict[str, Any]
    started_at: datetime | None = None
    replayed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters: those that fit all that is given. `older` than, `newer` than: their age."""

    stage: str | None = None
    error: str | None = None
    tenant: str | None = None
    older_than: datetime | None = None
    newer_than: datetime | None = None
    replayed: bool | None = None


EVERY: Final = LetterFilter()


def bury(ledger: Ledger, letter: DeadLetter) -> None:
    """Keep a dead letter; one with the same id is left as it is."""
    with writing(ledger) as connection:
        bury_within(connection, letter)


def bury_within(connection: Connection, letter: DeadLetter) -> None:
    """As `bury`, inside the caller's transaction. Operators are told of it, and of an hour with too many."""
    known = connection.execute(select(dead_letters.c.id).where(dead_letters.c.id == letter.id)).first()
    if known is not None:
        return
    values = asdict(letter) | {"schema_version": CURRENT[KIND], "batch_id": letter.batch}
    del values["batch"]
    insert_once(connection, dead_letters, values)
    # One after another, so that each is counted by the next, and the one that makes the limit finds it made.
    also_locked(connection, "dead letters")
    told = {"letter": letter.id, "stage": letter.stage, "tenant": letter.tenant, "error": letter.error}
    depth = connection.execute(_count(LetterFilter(replayed=False))).scalar_one()
    signal(connection, "dead_letter.buried", letter.id, told | {"depth": depth}, letter.at)
    # To both sides: clocks of several machines differ, by an hour at most if they are to be believed.
    near = LetterFilter(newer_than=letter.at - HOUR, older_than=letter.at + HOUR)
    within = connection.execute(_count(near)).scalar_one()
    if within >= OUTAGE_AN_HOUR and _is_news(connection, letter.at):
        signal(connection, "dead_letters.outage", "dead letters", {"within_an_hour": within}, letter.at)


def _is_news(connection: Connection, now: datetime) -> bool:
    """True where no outage was told within the hour; told by a clock that is far ahead does not count."""
    insert_once(connection, mirrors, {"name": OUTAGE, "seen": []})
    is_quiet = mirrors.c.held_until.between(now, now + 2 * HOUR)
    told = update(mirrors).where(mirrors.c.name == OUTAGE, mirrors.c.held_until.is_(None) | ~is_quiet)
    return bool(connection.execute(told.values(held_until=now + HOUR)).rowcount)


def list_letters(ledger: Ledger, limit: int = 1_000, only: LetterFilter = EVERY) -> tuple[DeadLetter, ...]:
    """The latest dead letters that fit, newest first.

    Raises:
        UnknownVersionError: one of them was written by a version that this one does not read.
    """
    order = (dead_letters.c.at.desc(), dead_letters.c.id)
    query = select(dead_letters).where(*_fits(only)).order_by(*order).limit(limit)
    with reading(ledger) as connection:
        return tuple(_letter(row) for row in connection.execute(query))


def letter_ids(ledger: Ledger, only: LetterFilter = EVERY) -> tuple[str, ...]:
    """The ids of all dead letters that fit, oldest first."""
    query = select(dead_letters.c.id).where(*_fits(only)).order_by(dead_letters.c.at, dead_letters.c.id)
    with reading(ledger) as connection:
        return tuple(connection.execute(query).scalars())


def read_letter(ledger: Ledger, letter_id: str) -> DeadLetter | None:
    """The dead letter with this id, or the only one whose id begins so; None if there is none.

    Raises:
        AmbiguousIdError: several ids begin so.
        UnknownVersionError: it was written by a version that this one does not read.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, dead_letters, letter_id)
    return None if row is None else _letter(row)


def purge_letters(ledger: Ledger, only: LetterFilter) -> int:
    """Remove the dead letters that fit; returns how many. Their batches stay as they are."""
    with writing(ledger) as connection:
        return connection.execute(delete(dead_letters).where(*_fits(only))).rowcount


def purge_letter(ledger: Ledger, letter_id: str) -> bool:
    """Remove one dead letter; False if it is gone already."""
    with writing(ledger) as connection:
        return bool(connection.execute(delete(dead_letters).where(dead_letters.c.id == letter_id)).rowcount)


def _count(only: LetterFilter) -> Select[tuple[int]]:
    return select(func.count()).select_from(dead_letters).where(*_fits(only))


def _fits(only: LetterFilter) -> list[ColumnElement[bool]]:
    columns = dead_letters.c
    equal = {name: getattr(only, name) for name in ("stage", "error", "tenant")}
    tests = [columns[name] == value for name, value in equal.items() if value is not None]
    if only.older_than is not None:
        tests.append(columns.at <= only.older_than)
    if only.newer_than is not None:
        tests.append(columns.at > only.newer_than)
    if only.replayed is not None:
        tests.append(columns.replayed_at.is_not(None) if only.replayed else columns.replayed_at.is_(None))
    return tests


def _letter(row: Row[Any]) -> DeadLetter:
    values = {field.name: getattr(row, field.name) for field in fields(DeadLetter) if field.name != "batch"}
    values["payload"] = upgraded(KIND, row.schema_version, row.payload)
    return DeadLetter(batch=row.batch_id, **values)
