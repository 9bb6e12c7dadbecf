"""Events and rejections are found by their day, as the lake asks for them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indices."""
    op.create_index(op.f("ix_events_accepted_at"), "events", ["accepted_at"], unique=False)
    op.create_index(op.f("ix_rejections_at"), "rejections", ["at"], unique=False)
