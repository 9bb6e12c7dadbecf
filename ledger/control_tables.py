"""The tables of what keeps paid calls in check, and of what operators are told."""

from typing import Final

from sqlalchemy import Boolean, Column, Float, Index, Integer, SmallInteger, String, Table

from ledger.columns import Json, Moment, Prose
from ledger.tables import SERIAL, metadata

breakers: Final = Table(
    "breakers",
    metadata,
    Column("model", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("openings", SmallInteger, nullable=False),
    Column("probe", String),
    Column("retry_at", Moment),
    Column("changed_at", Moment, nullable=False),
    Column("reason", Prose, nullable=False),
)

pauses: Final = Table(
    "pauses",
    metadata,
    Column("stage", String, primary_key=True),
    Column("tenant", String, primary_key=True),
    Column("reason", Prose, nullable=False),
    Column("at", Moment, nullable=False),
)

budgets: Final = Table(
    "budgets",
    metadata,
    Column("name", String, primary_key=True),
    Column("most", Integer),
    Column("shown", Integer),
    Column("at", Moment, nullable=False),
)

mirrors: Final = Table(
    "mirrors",
    metadata,
    Column("name", String, primary_key=True),
    Column("seen", Json, nullable=False),
    Column("holder", String),
    Column("held_until", Moment),
)

signals: Final = Table(
    "signals",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False),
    Column("about", String, nullable=False),
    Column("payload", Json, nullable=False),
    Column("at", Moment, nullable=False),
    Column("taken_at", Moment),
    Index("ix_signals_new", "taken_at", "id"),
)

slot_wishes: Final = Table(
    "slot_wishes",
    metadata,
    Column("limit_name", String, primary_key=True),
    Column("owner", String, primary_key=True),
    Column("wanted", Integer, nullable=False),
    Column("until", Moment, nullable=False),
)

slot_leases: Final = Table(
    "slot_leases",
    metadata,
    Column("id", String, primary_key=True),
    Column("limit_name", String, nullable=False, index=True),
    Column("owner", String, nullable=False),
    Column("process", String, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("request_s", Float, nullable=False),
    Column("until", Moment, nullable=False),
)

lanes: Final = Table(
    "lanes",
    metadata,
    Column("level", String, primary_key=True),
    Column("owner", String),
    Column("until", Moment, nullable=False),
)

told_ends: Final = Table(
    "told_ends",
    metadata,
    Column("move_id", SERIAL, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
)

stuck: Final = Table(
    "stuck",
    metadata,
    Column("kind", String, primary_key=True),
    Column("about", String, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("told", Boolean, nullable=False),
)
