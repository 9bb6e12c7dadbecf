"""Reviews by people, and what was drawn for them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review_samples",
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_review_samples_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "item", "kind", name=op.f("pk_review_samples")),
    )
    op.create_index("ix_review_samples_kind", "review_samples", ["kind", "drawn_at"])
    op.create_table(
        "reviews",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("edited", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_reviews_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("batch_id", "item", "reviewer", name=op.f("uq_reviews_batch_id_item_reviewer")),
    )
    op.create_index(op.f("ix_reviews_at"), "reviews", ["at"])
    op.create_table(
        "review_scores",
        sa.Column("review_id", SERIAL, nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_review_scores_review_id")),
        sa.PrimaryKeyConstraint("review_id", "criterion", name=op.f("pk_review_scores")),
    )
