"""Attachments of a person's events: what of them is in S3, to be removed there, and what stays in the ledger."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select, update

from contracts.attachments import AttachmentState
from ledger.attachment_tables import attachments
from ledger.outcome_tables import dead_letters
from ledger.sql import among
from ledger.tables import events

LETTER: Final = "x-"
"""What a dead letter's id begins with; an attachment's goes on as the attachment's own."""


def letter_of(attachment_id: str) -> str:
    """The id of an attachment's dead letter: refused twice, it is one."""
    return f"{LETTER}{attachment_id.partition('-')[2]}"


def erase_attachments(connection: Connection, seqs: Sequence[int]) -> tuple[int, tuple[str, ...]]:
    """Blank those of the events: told of again, they are not worked on. How many there were, and their objects."""
    rows = connection.execute(select(attachments).where(_of_events(connection, seqs))).all()
    stored = [one for row in rows for one in _objects(row.payload)]
    mine = among(connection, attachments.c.id, [row.id for row in rows])
    blank: dict[str, object] = {
        "state": AttachmentState.ERASED.value,
        "payload": {},
        "reason": None,
        "next_at": None,
    }
    connection.execute(update(attachments).where(mine).values(blank))
    letters = [letter_of(row.id) for row in rows]
    connection.execute(delete(dead_letters).where(among(connection, dead_letters.c.id, letters)))
    return len(rows), tuple(stored)


def _of_events(connection: Connection, seqs: Sequence[int]) -> ColumnElement[bool]:
    keys = select(events.c.key).where(among(connection, events.c.seq, seqs))
    erased = AttachmentState.ERASED.value
    return attachments.c.event_key.in_(keys) & (attachments.c.state != erased)


def _objects(payload: dict[str, Any]) -> list[str]:
    """The file as it came, and what was made of it."""
    found = payload["findings"] or {}
    made = [found[name] for name in ("thumbnail", "marked") if found.get(name)]
    return [f"s3://{payload['bucket']}/{payload['key']}", *made]
