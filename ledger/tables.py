"""The ledger's tables: one place that says what is kept, under which name and type, and how it is found.

Times are `_at` columns in microseconds UTC, money `_usd` in billionths (see `ledger.columns`). Wherever a
contract is stored whole (`payload`), its `schema_version` stands beside it. The schema of a database is made
by the migrations; a test holds them equal to this module.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from ledger.columns import Json, Moment, Prose, Usd

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")


def _serial(name: str = "id") -> Column[int]:
    return Column(name, SERIAL, primary_key=True, autoincrement=True)


def _batch() -> Column[str]:
    return Column("batch_id", String, ForeignKey("batches.id"), nullable=False)


intakes: Final = Table(
    "intakes",
    metadata,
    _serial(),
    Column("origin", Prose, nullable=False),
    Column("read", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

events: Final = Table(
    "events",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=False),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("tenant", String, nullable=False),
    Column("user", String),
    Column("kind", String, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("pipeline", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("occurred_at", Moment),
    Column("accepted_at", Moment, nullable=False, index=True),
    Column("schema_version", String, nullable=False),
    Column("payload", Text, nullable=False),
)

# Which batches an event must join and has joined, as bits (see `ledger.pools`), for as long as one is missing.
# Beside `events` and not in it: batching changes every row here several times, and these rows are a fiftieth as long.
pool: Final = Table(
    "pool",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=False),
    Column("needed", SmallInteger, nullable=False),
    Column("batched", SmallInteger, nullable=False),
)

rejections: Final = Table(
    "rejections",
    metadata,
    _serial(),
    Column("origin", Prose, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("reason", Prose, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("schema_version", String, nullable=False),
    Column("payload", Text, nullable=False),
)

batches: Final = Table(
    "batches",
    metadata,
    Column("id", String, primary_key=True),
    Column("scope", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("user", String),
    Column("level", String, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("pipeline", String, nullable=False),
    Column("state", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("reason", Prose),
    Column("resume_at", Moment),
    Column("lease", String),
    Column("lease_owner", String),
    Column("lease_until", Moment),
    Column("hold", String),
    Column("diagnosis", Json),
    # The ids of the attachments that it is shown, from its first start on; null before.
    Column("attached", Json),
    Column("schema_version", String, nullable=False),
    Index("ix_batches_claim", "state", "lane", "tenant", "created_at", "id"),
    Index("ix_batches_due", "state", "resume_at"),
    Index("ix_batches_holds", "state", "hold"),
    Index("ix_batches_leases", "lease"),
)

batch_events: Final = Table(
    "batch_events",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    # No foreign key: a plan's events were found in the pool in the same transaction, and events never go away.
    Column("event_seq", BigInteger, primary_key=True),
    Index("ix_batch_events_event", "event_seq"),
    sqlite_with_rowid=False,
)

batch_history: Final = Table(
    "batch_history",
    metadata,
    _serial(),
    _batch(),
    Column("from_state", String, nullable=False),
    Column("to_state", String, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("reason", Prose, nullable=False),
    Index("ix_batch_history_batch", "batch_id", "id"),
)

turns: Final = Table(
    "turns",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("turn", BigInteger, nullable=False),
    Column("first_at", Moment, nullable=False),
    Index("ix_turns_order", "turn", "first_at", "tenant"),
)

stage_runs: Final = Table(
    "stage_runs",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    Column("stage", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("error", Prose),
)

model_calls: Final = Table(
    "model_calls",
    metadata,
    Column("id", String, primary_key=True),
    Column("batch_id", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("user", String),
    Column("feature", String, nullable=False),
    Column("pipeline", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("item", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("model", String, nullable=False),
    Column("prompt_version", String, nullable=False),
    Column("rubric_version", String),
    Column("request_hash", String, nullable=False),
    Column("attempt", SmallInteger, nullable=False, server_default="1"),
    Column("state", String, nullable=False),
    Column("started_at", Moment, nullable=False, index=True),
    Column("reply_model", String),
    Column("reply_text", Prose),
    Column("stop_reason", String),
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cache_write_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cache_read_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cost_usd", Usd, nullable=False, server_default="0"),
    Column("latency_ms", Float),
    Column("finished_at", Moment),
    Column("error", Prose),
    Column("message", Prose),
    Column("failure_kind", String),
    Index("ix_model_calls_paid", "batch_id", "item", "purpose", "request_hash"),
    Index("ix_model_calls_doubt", "state", "started_at"),
)

items: Final = Table(
    "items",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    Column("item", String, primary_key=True),
    Column("stage", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("form", String, nullable=False),
    Column("output_type", String, nullable=False),
    Column("content", Json, nullable=False),
    Column("prompt", String, nullable=False),
    Column("prompt_version", String, nullable=False),
    Column("model", String, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("verdict", String),
    Column("judged_at", Moment),
    Column("schema_version", String, nullable=False),
    Index("ix_items_verdict", "verdict", "judged_at"),
)

judgements: Final = Table(
    "judgements",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    Column("item", String, primary_key=True),
    Column("criterion", String, primary_key=True),
    Column("score", Float),
    Column("threshold", Float, nullable=False),
    Column("passed", Boolean),
    Column("reason", Prose, nullable=False),
    Column("judge_model", String, nullable=False),
    Column("rubric_version", String, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)
