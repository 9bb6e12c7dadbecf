"""Attachments of a person's events: what stays of them in the ledger, and what is to be removed of them in S3.

Addresses of what is to be removed are kept until it has been: S3 may be away while somebody is erased.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select, update

from contracts.attachments import AttachmentState
from ledger.attachment_tables import attachments, removals
from ledger.engine import Ledger
from ledger.outcome_tables import dead_letters
from ledger.sql import among, insert_once, reading, writing
from ledger.tables import events

LETTER: Final = "x-"
"""What a dead letter's id begins with; an attachment's goes on as the attachment's own."""


def letter_of(attachment_id: str) -> str:
    """The id of an attachment's dead letter: refused twice, it is one."""
    return f"{LETTER}{attachment_id.partition('-')[2]}"


def erase_attachments(connection: Connection, seqs: Sequence[int], now: datetime) -> int:
    """Blank those of the events, and have their objects removed; how many there were."""
    rows = connection.execute(select(attachments).where(_of_events(connection, seqs))).all()
    due = [{"address": address, "at": now} for row in rows for address in _objects(row.payload)]
    insert_once(connection, removals, due)
    mine = among(connection, attachments.c.id, [row.id for row in rows])
    erased = AttachmentState.ERASED.value
    blank: dict[str, object] = {"state": erased, "payload": {}, "text": None, "reason": None, "next_at": None}
    connection.execute(update(attachments).where(mine).values(blank | {"object": erased}))
    letters = [letter_of(row.id) for row in rows]
    connection.execute(delete(dead_letters).where(among(connection, dead_letters.c.id, letters)))
    return len(rows)


def objects_to_remove(ledger: Ledger) -> tuple[str, ...]:
    """The addresses of what is still in S3 of those that were erased, oldest first."""
    with reading(ledger) as connection:
        return tuple(connection.execute(select(removals.c.address).order_by(removals.c.at)).scalars())


def mark_removed(ledger: Ledger, addresses: Sequence[str]) -> None:
    """They are gone."""
    with writing(ledger) as connection:
        connection.execute(delete(removals).where(among(connection, removals.c.address, addresses)))


def _of_events(connection: Connection, seqs: Sequence[int]) -> ColumnElement[bool]:
    keys = select(events.c.key).where(among(connection, events.c.seq, seqs))
    erased = AttachmentState.ERASED.value
    return attachments.c.event_key.in_(keys) & (attachments.c.state != erased)


def _objects(payload: dict[str, Any]) -> list[str]:
    """The file as it came, and what was made of it."""
    found = payload["findings"] or {}
    made = [found[name] for name in ("thumbnail", "marked") if found.get(name)]
    return [f"s3://{payload['bucket']}/{payload['key']}", *made]
