"""The tables of reviews, and of what is to be reviewed."""

from typing import Final

from sqlalchemy import Column, Float, ForeignKey, ForeignKeyConstraint, Index, String, Table, UniqueConstraint

from ledger.columns import Moment, Prose
from ledger.tables import SERIAL, metadata

review_samples: Final = Table(
    "review_samples",
    metadata,
    Column("batch_id", String, ForeignKey("batches.id"), primary_key=True),
    Column("item", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("drawn_at", Moment, nullable=False),
    Index("ix_review_samples_kind", "kind", "drawn_at"),
)

reviews: Final = Table(
    "reviews",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("batch_id", String, ForeignKey("batches.id"), nullable=False),
    Column("item", String, nullable=False),
    Column("reviewer", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("edited", Prose),
    Column("comment", Prose),
    Column("at", Moment, nullable=False, index=True),
    UniqueConstraint("batch_id", "item", "reviewer"),
)

review_scores: Final = Table(
    "review_scores",
    metadata,
    Column("review_id", SERIAL, primary_key=True),
    Column("criterion", String, primary_key=True),
    Column("score", Float, nullable=False),
    ForeignKeyConstraint(["review_id"], ["reviews.id"]),
)
