"""Reading attachments back: where one stands, those of an event, and those that a batch is shown."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, select, update

from contracts.attachments import Attachment, AttachmentState
from contracts.versions import upgraded
from ledger.attachment_tables import attachments
from ledger.engine import Ledger
from ledger.sql import among, by_prefix, reading, writing
from ledger.tables import batch_events, batches, events

KIND: Final = "attachment"


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    """An attachment, where it stands, why, and since when."""

    attachment: Attachment
    state: AttachmentState
    reason: str | None
    at: datetime


def attachment_state(ledger: Ledger, attachment_id: str) -> AttachmentState | None:
    """Where it stands; None for one that is not on record."""
    query = select(attachments.c.state).where(attachments.c.id == attachment_id)
    with reading(ledger) as connection:
        state = connection.execute(query).scalar()
    return None if state is None else AttachmentState(state)


def attachments_of_batch(ledger: Ledger, batch_id: str, of_an_event: int) -> tuple[Attachment, ...]:
    """The files that a batch is shown, so many of each event: those that were kept when this was first asked.

    The batch keeps which: what comes later would make other prompts of a batch that is begun again, and they would be
    paid for again. Of a file that was put anew the last is shown.
    """
    with reading(ledger) as connection:
        ids = _chosen(connection, batch_id)
    if ids is None:
        with writing(ledger, "attachments") as connection:
            ids = _chosen(connection, batch_id)
            if ids is None:
                ids = _choose(connection, batch_id, of_an_event)
                connection.execute(update(batches).where(batches.c.id == batch_id).values(attached=ids))
    if not ids:
        return ()
    kept = attachments.c.state == AttachmentState.KEPT.value
    with reading(ledger) as connection:
        rows = connection.execute(select(attachments).where(kept, among(connection, attachments.c.id, ids)))
        found = {row.id: attachment_of(row, row.text) for row in rows}
    return tuple(found[one] for one in ids if one in found)


def list_attachments(
    ledger: Ledger, tenant: str | None = None, key: bytes | None = None, limit: int = 1_000
) -> tuple[AttachmentStatus, ...]:
    """The latest attachments of a tenant or of one event, newest first, without their text."""
    wanted: list[ColumnElement[bool]] = [attachments.c.state != AttachmentState.ERASED.value]
    if tenant is not None:
        wanted.append(attachments.c.tenant == tenant)
    if key is not None:
        wanted.append(attachments.c.event_key == key)
    columns = [attachments.c[name] for name in ("id", "state", "reason", "at", "schema_version", "payload")]
    query = select(*columns).where(*wanted).order_by(attachments.c.at.desc(), attachments.c.id).limit(limit)
    with reading(ledger) as connection:
        return tuple(_status(row) for row in connection.execute(query))


def read_attachment(ledger: Ledger, attachment_id: str) -> AttachmentStatus | None:
    """The one with this id, or the only one whose id begins so; None if there is none, or it was erased.

    Raises:
        AmbiguousIdError: several ids begin so.
    """
    with reading(ledger) as connection:
        row = by_prefix(connection, attachments, attachment_id)
    return None if row is None or row.state == AttachmentState.ERASED.value else _status(row, row.text)


def attachment_of(row: Row[Any], text: str | None = None) -> Attachment:
    """The attachment of a row; with what was read in it where that is given."""
    payload = upgraded(KIND, row.schema_version, row.payload)
    if payload["findings"] is not None:
        payload = payload | {"findings": payload["findings"] | {"text": text or ""}}
    return Attachment.model_validate(payload, strict=False)


def _status(row: Row[Any], text: str | None = None) -> AttachmentStatus:
    return AttachmentStatus(attachment_of(row, text), AttachmentState(row.state), row.reason, row.at)


def _chosen(connection: Connection, batch_id: str) -> list[str] | None:
    ids: list[str] | None = connection.execute(
        select(batches.c.attached).where(batches.c.id == batch_id)
    ).scalar()
    return ids


def _choose(connection: Connection, batch_id: str, of_an_event: int) -> list[str]:
    """In the order in which they came: without what they hold, for there may be thousands."""
    columns = [attachments.c[name] for name in ("id", "event_key", "object", "stored_at")]
    rows = connection.execute(
        select(*columns)
        .join_from(batch_events, events, events.c.seq == batch_events.c.event_seq)
        .join(attachments, attachments.c.event_key == events.c.key)
        .where(batch_events.c.batch_id == batch_id, attachments.c.state == AttachmentState.KEPT.value)
        .order_by(attachments.c.stored_at, attachments.c.at, attachments.c.id)
    ).all()
    return _first_of_each(_last_of_each(rows), of_an_event)


def _last_of_each(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Of each object its last version, where the first stood."""
    return list({row.object: row for row in rows}.values())


def _first_of_each(rows: Iterable[Row[Any]], most: int) -> list[str]:
    counts: dict[bytes, int] = defaultdict(int)
    chosen = []
    for row in rows:
        counts[row.event_key] += 1
        if counts[row.event_key] <= most:
            chosen.append(row.id)
    return chosen
