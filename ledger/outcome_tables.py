"""The tables of what comes out: deliverables and their outbox, reservations, dead letters, promotions."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text

from ledger.columns import Json, Moment, Prose, Usd
from ledger.tables import SERIAL, metadata

deliverables: Final = Table(
    "deliverables",
    metadata,
    Column("id", String, primary_key=True),
    Column("batch_id", String, ForeignKey("batches.id"), nullable=False, index=True),
    Column("tenant", String, nullable=False),
    Column("user", String),
    Column("kind", String, nullable=False),
    Column("form", String, nullable=False),
    Column("title", Prose, nullable=False),
    Column("cost_usd", Usd, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("schema_version", String, nullable=False),
    Column("payload", Text, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("deliverable_id", String, ForeignKey("deliverables.id"), nullable=False),
    Column("channel", String, nullable=False),
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Moment),
    Column("published_at", Moment),
    Column("last_error", Prose),
    Index("ix_outbox_due", "state", "next_at", "id"),
)

solution_reservations: Final = Table(
    "solution_reservations",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    Column("tenant", String, nullable=False),
    Column("count", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_solution_reservations_window", "tenant", "at"),
)

dead_letters: Final = Table(
    "dead_letters",
    metadata,
    Column("id", String, primary_key=True),
    # Of no batch: an attachment, which may come before its event.
    Column("batch_id", String, ForeignKey("batches.id"), index=True),
    Column("stage", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("error", Prose, nullable=False),
    Column("message", Prose, nullable=False),
    Column("traceback", Prose, nullable=False),
    Column("prompt", Prose),
    Column("diagnosis", Json, nullable=False),
    Column("cost_usd", Usd, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("schema_version", String, nullable=False),
    Column("payload", Json, nullable=False),
    Column("verdicts", Json, nullable=False, server_default="{}"),
    Column("started_at", Moment),
    Column("replayed_at", Moment),
    Index("ix_dead_letters_open", "replayed_at", "at"),
)

promotions: Final = Table(
    "promotions",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("schema_version", String, nullable=False),
    Column("evidence", Json, nullable=False),
)
