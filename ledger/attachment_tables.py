"""The tables of attachments: files that belong to events, and what is to be removed of those that were erased."""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from ledger.columns import Json, Moment, Prose
from ledger.tables import metadata

attachments: Final = Table(
    "attachments",
    metadata,
    Column("id", String, primary_key=True),
    # No foreign key: a file may be there before the event that it belongs to.
    Column("event_key", LargeBinary, nullable=False),
    Column("tenant", String, nullable=False),
    # By which versions of one object are known, and when S3 got this one.
    Column("object", String, nullable=False),
    Column("stored_at", Moment, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Prose),
    Column("at", Moment, nullable=False),
    # When it is to be published, or worked on anew; null where neither is.
    Column("next_at", Moment),
    Column("schema_version", String, nullable=False),
    Column("payload", Json, nullable=False),
    # What was read in it, apart from the rest: it may be long.
    Column("text", Prose),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_attachments_of_event", "event_key", "at"),
    Index("ix_attachments_due", "state", "next_at"),
)

removals: Final = Table(
    "removals",
    metadata,
    Column("address", String, primary_key=True),
    Column("at", Moment, nullable=False),
)
