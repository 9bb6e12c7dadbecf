"""Erasing a person: their events, and everything that was made of them, in one transaction.

What stays is nobody's: that an event was there, with its kind, priority, size and day; what calls cost; how the
judge scored. An erased event delivered again is a duplicate, so that it does not come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from contracts.batches import BatchState
from ledger.attachments import TURN
from ledger.engine import ALONE, Ledger
from ledger.erased_attachments import erase_attachments
from ledger.erased_content import (
    blank_batches,
    blank_calls,
    blank_events,
    blank_items,
    blank_promotions,
    blank_reviews,
    delete_deliverables,
    delete_of,
    shrink_open_batches,
    topics_of,
)
from ledger.erased_rejections import delete_rejections
from ledger.outcome_tables import dead_letters
from ledger.sql import also_locked, among, is_sqlite, writing
from ledger.tables import (
    batch_events,
    batches,
    events,
)

_IN_HAND: Final = (BatchState.RUNNING.value, BatchState.SUBMITTED.value)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was removed, by how many; `batches` are those that held an event of the person, without their content.

    `in_hand` are batches that a worker or provider has at this moment: nothing of them was touched, and they
    are to be erased when they have ended. What of the `attachments` is in S3 is to be removed (`erased_attachments`).
    """

    events: int
    rejections: int
    items: int
    calls: int
    deliverables: int
    letters: int
    attachments: int
    batches: tuple[str, ...]
    in_hand: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when nothing of the person was found."""
        return not (self.events or self.rejections or self.batches or self.in_hand)


def erase_person(
    ledger: Ledger, tenant: str, names: Sequence[str], now: datetime, *, dry_run: bool = False
) -> Erasure:
    """Remove a user of a tenant, under all `names` that the user has; with `dry_run`, only say what that would be.

    What was made of a tenant's batch in which the person had an event goes too, as it may hold their words;
    the other events of the batch stay. An open batch goes on without the person's events.
    """
    with writing(ledger, "intake") as connection:
        # Nobody claims, forms or promotes what is being erased; those take one of these locks each.
        also_locked(connection, "claims", "pools", TURN)
        rehearsal = connection.begin_nested()
        erasure = _erase(connection, tenant, names, now)
        if dry_run:
            rehearsal.rollback()
            return erasure
    _leave_no_trace(ledger)
    return erasure


def _erase(connection: Connection, tenant: str, names: Sequence[str], now: datetime) -> Erasure:
    seqs, free, in_hand = _theirs(connection, tenant, names)
    of_batches = tuple(free)
    topics = topics_of(connection, seqs)
    again = [batch for batch, state in free.items() if state not in {"DONE", "FAILED"}]
    erasure = Erasure(
        events=blank_events(connection, tenant, seqs),
        rejections=delete_rejections(connection, tenant, names),
        items=blank_items(connection, of_batches, again),
        calls=blank_calls(connection, of_batches),
        deliverables=delete_deliverables(connection, of_batches),
        letters=delete_of(connection, dead_letters, of_batches),
        attachments=erase_attachments(connection, seqs, now),
        batches=of_batches,
        in_hand=in_hand,
    )
    blank_promotions(connection, tenant, topics)
    blank_reviews(connection, of_batches)
    blank_batches(connection, of_batches)
    shrink_open_batches(connection, [one for one in again if free[one] != "DEAD"], now)
    return erasure


def _theirs(
    connection: Connection, tenant: str, names: Sequence[str]
) -> tuple[list[int], dict[str, str], tuple[str, ...]]:
    """The person's events, the batches with one of them by their states, and those that somebody has in hand."""
    own = (events.c.tenant == tenant, events.c.user.in_(names))
    seqs = list(connection.execute(select(events.c.seq).where(*own)).scalars())
    of_events = select(batch_events.c.batch_id).where(among(connection, batch_events.c.event_seq, seqs))
    of_user = (batches.c.tenant == tenant) & batches.c.user.in_(names)
    rows = connection.execute(
        select(batches.c.id, batches.c.state)
        .where(of_user | batches.c.id.in_(of_events))
        .order_by(batches.c.created_at, batches.c.id)
    ).all()
    in_hand = tuple(row.id for row in rows if row.state in _IN_HAND)
    held_back = set(
        connection.execute(
            select(batch_events.c.event_seq).where(among(connection, batch_events.c.batch_id, in_hand))
        ).scalars()
    )
    free = {row.id: row.state for row in rows if row.state not in _IN_HAND}
    return [seq for seq in seqs if seq not in held_back], free, in_hand


def _leave_no_trace(ledger: Ledger) -> None:
    """What SQLite's file still holds of rows that are gone; PostgreSQL's vacuum recycles its own.

    What is deleted is overwritten, but a page whose rows have moved to another keeps their words in its gaps, and the
    write-ahead log keeps the pages as they were. So the file is written anew, and the log is emptied.
    """
    with ledger.connect().execution_options(**{ALONE: True}) as connection:
        if is_sqlite(connection):
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
