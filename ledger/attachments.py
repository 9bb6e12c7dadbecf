"""Attachments on record: each version of a file once, whatever is told of it twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from contracts.attachments import Attachment, AttachmentState
from contracts.versions import CURRENT, upgraded
from ledger.attachment_tables import attachments
from ledger.dead_letters import DeadLetter, bury_within
from ledger.engine import Ledger
from ledger.intake import ERASED_CONTENT
from ledger.news import tell_news
from ledger.outcome_tables import dead_letters
from ledger.sql import among, by_prefix, insert_new, reading, writing
from ledger.tables import batch_events, batches, events

KIND: Final = "attachment"
STAGE: Final = "attachments"
"""Where dead letters of attachments died."""


class Kept(StrEnum):
    """What became of an attachment: it is on record now, it was before, or its event was erased."""

    NEW = "new"
    DUPLICATE = "duplicate"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    """An attachment, where it stands, why, and since when."""

    attachment: Attachment
    state: AttachmentState
    reason: str | None
    at: datetime


def attachment_state(ledger: Ledger, attachment_id: str) -> AttachmentState | None:
    """Where it stands; None for one that nobody has told of."""
    query = select(attachments.c.state).where(attachments.c.id == attachment_id)
    with reading(ledger) as connection:
        state = connection.execute(query).scalar()
    return None if state is None else AttachmentState(state)


def keep_attachment(ledger: Ledger, made: Attachment, now: datetime, *, publish: bool) -> Kept:
    """Record what was found in an attachment, unless that has been done; to be published where there is a topic.

    Of an event that was erased nothing is kept but the fact, so that it is not worked on again.
    """
    with writing(ledger) as connection:
        if _is_erased(connection, made.event_key):
            _record(connection, made, AttachmentState.ERASED, now, {"payload": {}})
            return Kept.ERASED
        due = {"next_at": now if publish else None}
        if not _record(connection, made, AttachmentState.KEPT, now, due):
            return Kept.DUPLICATE
        _tell(connection, made, "attachment.kept", now)
        return Kept.NEW


def refuse_attachment(ledger: Ledger, refused: Attachment, letter: DeadLetter) -> bool:
    """Record that an attachment is not taken, with its dead letter; False where it was on record before."""
    with writing(ledger) as connection:
        why = {"reason": letter.message}
        if not _record(connection, refused, AttachmentState.REFUSED, letter.at, why):
            return False
        # One that was replayed, and is refused anew, has a letter with this id already.
        connection.execute(delete(dead_letters).where(dead_letters.c.id == letter.id))
        bury_within(connection, letter)
        _tell(connection, refused, "attachment.refused", letter.at)
        return True


def rework_attachment(connection: Connection, attachment_id: str, now: datetime) -> bool:
    """Have a refused one worked on anew, inside the caller's transaction; False where it is not refused."""
    mine = (attachments.c.id == attachment_id) & (attachments.c.state == AttachmentState.REFUSED.value)
    again = {"state": AttachmentState.WAITING.value, "next_at": now, "reason": None}
    return bool(connection.execute(update(attachments).where(mine).values(again)).rowcount)


def take_attachments(
    ledger: Ledger, state: AttachmentState, now: datetime, limit: int, hold_for: timedelta
) -> tuple[Attachment, ...]:
    """Those due: KEPT to be published, or WAITING to be worked on; nobody else gets them for `hold_for`."""
    due = (attachments.c.state == state.value, attachments.c.next_at <= now)
    with reading(ledger) as connection:
        if connection.execute(select(attachments.c.id).where(*due).limit(1)).first() is None:
            return ()
    with writing(ledger, "attachments") as connection:
        rows = connection.execute(
            select(attachments).where(*due).order_by(attachments.c.next_at).limit(limit)
        ).all()
        mine = among(connection, attachments.c.id, [row.id for row in rows])
        held = {"next_at": now + hold_for, "attempts": attachments.c.attempts + 1}
        connection.execute(update(attachments).where(mine).values(held))
    return tuple(map(_attachment, rows))


def mark_attachments_published(ledger: Ledger, ids: Sequence[str]) -> None:
    """They have reached the topic."""
    with writing(ledger) as connection:
        mine = among(connection, attachments.c.id, ids)
        connection.execute(update(attachments).where(mine).values(next_at=None))


def attachments_of_batch(ledger: Ledger, batch_id: str) -> tuple[Attachment, ...]:
    """What was kept of the files of a batch's events before it was begun, of each file the latest version.

    What comes later would make other prompts of a batch that is begun again, and they would be paid for again.
    """
    known = (attachments.c.at <= batches.c.started_at) | batches.c.started_at.is_(None)
    query = (
        select(attachments)
        .join_from(batch_events, batches, batches.c.id == batch_events.c.batch_id)
        .join(events, events.c.seq == batch_events.c.event_seq)
        .join(attachments, attachments.c.event_key == events.c.key)
        .where(batch_events.c.batch_id == batch_id, known)
        .where(attachments.c.state == AttachmentState.KEPT.value)
        .order_by(attachments.c.at, attachments.c.id)
    )
    with reading(ledger) as connection:
        found = [_attachment(row) for row in connection.execute(query)]
    latest = {(one.bucket, one.key): one for one in found}
    return tuple(one for one in found if latest[one.bucket, one.key] is one)


def list_attachments(
    ledger: Ledger, tenant: str | None = None, key: bytes | None = None, limit: int = 1_000
) -> tuple[AttachmentStatus, ...]:
    """The latest attachments of a tenant or of one event, newest first; of erased ones nothing is left to list."""
    wanted: list[ColumnElement[bool]] = [attachments.c.state != AttachmentState.ERASED.value]
    if tenant is not None:
        wanted.append(attachments.c.tenant == tenant)
    if key is not None:
        wanted.append(attachments.c.event_key == key)
    order = (attachments.c.at.desc(), attachments.c.id)
    with reading(ledger) as connection:
        rows = connection.execute(select(attachments).where(*wanted).order_by(*order).limit(limit)).all()
    return tuple(map(_status, rows))


def read_attachment(ledger: Ledger, attachment_id: str) -> AttachmentStatus | None:
    """The one with this id, or the only one whose id begins so; None if there is none, or it was erased.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, attachments, attachment_id)
    return None if row is None or row.state == AttachmentState.ERASED.value else _status(row)


def _record(
    connection: Connection, made: Attachment, state: AttachmentState, now: datetime, more: dict[str, Any]
) -> bool:
    """The conditional write: a new row, or the one that waits to be worked on anew; False where it is done."""
    values = {
        "id": made.id,
        "event_key": made.event_key,
        "tenant": made.tenant,
        "state": state.value,
        "reason": None,
        "at": now,
        "next_at": None,
        "schema_version": CURRENT[KIND],
        "payload": made.model_dump(mode="json"),
    } | more
    if insert_new(connection, attachments, values):
        return True
    waits = (attachments.c.id == made.id) & (attachments.c.state == AttachmentState.WAITING.value)
    return bool(connection.execute(update(attachments).where(waits).values(values)).rowcount)


def _is_erased(connection: Connection, key: bytes) -> bool:
    content = connection.execute(select(events.c.content_hash).where(events.c.key == key)).scalar()
    return content == ERASED_CONTENT


def _tell(connection: Connection, one: Attachment, name: str, now: datetime) -> None:
    """News of no batch: only whose event it is about."""
    payload = {"attachment": one.id, "event": one.event_key.hex()}
    news = {"at": now, "tenant": one.tenant, "batch_id": "", "name": name, "payload": payload}
    tell_news(connection, [news])


def _status(row: Row[Any]) -> AttachmentStatus:
    return AttachmentStatus(_attachment(row), AttachmentState(row.state), row.reason, row.at)


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment.model_validate(upgraded(KIND, row.schema_version, row.payload))
