"""What keeps paid calls in check: breakers, pauses, holds, counted attempts; signals; replays."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, columns and indices."""
    op.create_table(
        "breakers",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("openings", sa.SmallInteger(), nullable=False),
        sa.Column("probe", sa.String(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_breakers")),
    )
    op.create_table(
        "pauses",
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "tenant", name=op.f("pk_pauses")),
    )
    op.create_table(
        "mirrors",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mirrors")),
    )
    op.create_table(
        "signals",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
    )
    op.create_index("ix_signals_new", "signals", ["taken_at", "id"], unique=False)
    op.add_column("model_calls", sa.Column("attempt", sa.SmallInteger(), server_default="1", nullable=False))
    op.add_column("batches", sa.Column("hold", sa.String(), nullable=True))
    op.create_index("ix_batches_holds", "batches", ["state", "hold"], unique=False)
    op.add_column("dead_letters", sa.Column("verdicts", sa.Text(), server_default="{}", nullable=False))
    op.add_column("dead_letters", sa.Column("started_at", sa.BigInteger(), nullable=True))
    op.add_column("dead_letters", sa.Column("replayed_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_dead_letters_open", "dead_letters", ["replayed_at", "at"], unique=False)
