"""Attachments on record: each version of a file once, whatever is told of it twice.

Whoever records one and whoever erases a person take turns (`TURN`), so that no file of an erased one stays unseen.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from contracts.attachments import Attachment, AttachmentState
from contracts.versions import CURRENT
from ledger.attachment_reads import KIND, attachment_of
from ledger.attachment_tables import attachments
from ledger.dead_letters import DeadLetter, bury_within
from ledger.engine import Ledger
from ledger.intake import ERASED_CONTENT
from ledger.news import tell_news
from ledger.outcome_tables import dead_letters
from ledger.sql import among, insert_new, reading, writing
from ledger.tables import events

STAGE: Final = "attachments"
"""Where dead letters of attachments died."""
TURN: Final = "attachments"


class Kept(StrEnum):
    """What became of an attachment: it is on record now, it was before, or its event was erased."""

    NEW = "new"
    DUPLICATE = "duplicate"
    ERASED = "erased"


def keep_attachment(ledger: Ledger, made: Attachment, now: datetime, *, publish: bool) -> Kept:
    """Record what was found in an attachment, unless that has been done; to be published where there is a topic.

    Of an event that was erased nothing is kept but the fact: its file is to be removed, now and whenever it is told of.
    """
    with writing(ledger, TURN) as connection:
        if _is_erased(connection, made):
            return Kept.ERASED
        due = {"next_at": now if publish else None}
        if not _record(connection, made, AttachmentState.KEPT, now, due):
            return Kept.DUPLICATE
        _tell(connection, made, "attachment.kept", now)
        return Kept.NEW


def refuse_attachment(ledger: Ledger, refused: Attachment, letter: DeadLetter) -> Kept:
    """Record that an attachment is not taken, with its dead letter; of an erased event as `keep_attachment`."""
    with writing(ledger, TURN) as connection:
        if _is_erased(connection, refused):
            return Kept.ERASED
        why = {"reason": letter.message}
        if not _record(connection, refused, AttachmentState.REFUSED, letter.at, why):
            return Kept.DUPLICATE
        # One that was replayed, and is refused anew, has a letter with this id already.
        connection.execute(delete(dead_letters).where(dead_letters.c.id == letter.id))
        bury_within(connection, letter)
        _tell(connection, refused, "attachment.refused", letter.at)
        return Kept.NEW


def rework_attachment(connection: Connection, attachment_id: str, now: datetime) -> bool:
    """Have a refused one worked on anew, inside the caller's transaction; False where it is not refused."""
    mine = (attachments.c.id == attachment_id) & (attachments.c.state == AttachmentState.REFUSED.value)
    again = {"state": AttachmentState.WAITING.value, "next_at": now, "reason": None, "attempts": 0}
    return bool(connection.execute(update(attachments).where(mine).values(again)).rowcount)


def take_attachments(
    ledger: Ledger, state: AttachmentState, now: datetime, limit: int, hold_for: timedelta
) -> tuple[tuple[Attachment, int], ...]:
    """Those due, each with how often it was: KEPT to be published, or WAITING to be worked on.

    Nobody else gets them for `hold_for`.
    """
    due = (attachments.c.state == state.value, attachments.c.next_at <= now)
    with reading(ledger) as connection:
        if connection.execute(select(attachments.c.id).where(*due).limit(1)).first() is None:
            return ()
    with writing(ledger, TURN) as connection:
        columns = [attachments.c[name] for name in ("id", "schema_version", "payload", "attempts")]
        query = select(*columns).where(*due).order_by(attachments.c.next_at).limit(limit)
        rows = connection.execute(query).all()
        mine = among(connection, attachments.c.id, [row.id for row in rows])
        held = {"next_at": now + hold_for, "attempts": attachments.c.attempts + 1}
        connection.execute(update(attachments).where(mine).values(held))
    return tuple((attachment_of(row), row.attempts + 1) for row in rows)


def mark_attachments_published(ledger: Ledger, ids: Sequence[str]) -> None:
    """They have reached the topic."""
    with writing(ledger) as connection:
        mine = among(connection, attachments.c.id, ids)
        connection.execute(update(attachments).where(mine).values(next_at=None))


def _record(
    connection: Connection, made: Attachment, state: AttachmentState, now: datetime, more: dict[str, Any]
) -> bool:
    """The conditional write: a new row, or the one that waits to be worked on anew; False where it is done."""
    payload, text = made.model_dump(mode="json"), None
    if made.findings is not None:
        text = payload["findings"].pop("text")
    values = {
        "id": made.id,
        "event_key": made.event_key,
        "tenant": made.tenant,
        "object": sha256(made.address.encode()).hexdigest()[:32],
        "stored_at": made.stored_at,
        "state": state.value,
        "reason": None,
        "at": now,
        "next_at": None,
        "schema_version": CURRENT[KIND],
        "payload": payload,
        "text": text,
    } | more
    if insert_new(connection, attachments, values):
        return True
    waits = (attachments.c.id == made.id) & (attachments.c.state == AttachmentState.WAITING.value)
    return bool(connection.execute(update(attachments).where(waits).values(values)).rowcount)


def _is_erased(connection: Connection, one: Attachment) -> bool:
    query = select(events.c.content_hash).where(events.c.key == one.event_key)
    return connection.execute(query).scalar() == ERASED_CONTENT


def _tell(connection: Connection, one: Attachment, name: str, now: datetime) -> None:
    """News of no batch: only whose event it is about."""
    payload = {"attachment": one.id, "event": one.event_key.hex()}
    news = {"at": now, "tenant": one.tenant, "batch_id": "", "name": name, "payload": payload}
    tell_news(connection, [news])
