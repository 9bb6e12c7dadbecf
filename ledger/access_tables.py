"""The tables of who may speak to the gateway, who gets what comes out, and of what those who listen are told."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from ledger.columns import Json, Moment, Prose
from ledger.tables import SERIAL, metadata

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    # What a sender signs with has to be known here to be checked; a key that signs nothing has none.
    Column("signing_secret", String),
    Column("made_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

signatures: Final = Table(
    "signatures",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("signature_hash", LargeBinary, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
)

subscriptions: Final = Table(
    "subscriptions",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, index=True),
    Column("kind", String, nullable=False),
    Column("target", String, nullable=False),
    Column("secret", String),
    Column("made_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

callbacks: Final = Table(
    "callbacks",
    metadata,
    Column("event_key", LargeBinary, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("url", String, nullable=False),
    Column("secret", String),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Moment),
    Column("made_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("last_error", Prose),
    Index("ix_callbacks_due", "state", "next_at"),
)

news: Final = Table(
    "news",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    # PostgreSQL's number of the transaction that wrote it: rows are seen in the order of these, and none too late.
    Column("tx", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("tenant", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("payload", Json, nullable=False),
    Index("ix_news_order", "tx", "id"),
    Index("ix_news_batch", "batch_id", "tx", "id"),
    Index("ix_news_tenant", "tenant", "tx", "id"),
    Index("ix_news_at", "at"),
    # No number is given twice: a reader's cursor would be beyond what comes after old news were forgotten.
    sqlite_autoincrement=True,
)
