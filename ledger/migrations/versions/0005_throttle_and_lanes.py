"""The cost throttle's slots, who wants how many and has which leases; the lanes that are at work or wanted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "slot_wishes",
        sa.Column("limit_name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("limit_name", "owner", name=op.f("pk_slot_wishes")),
    )
    op.create_table(
        "slot_leases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("limit_name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("request_s", sa.Float(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_leases")),
    )
    op.create_index(op.f("ix_slot_leases_limit_name"), "slot_leases", ["limit_name"], unique=False)
    op.create_table(
        "lanes",
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", name=op.f("pk_lanes")),
    )
