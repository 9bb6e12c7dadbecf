"""The batches that an event is in, found by the event."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_batch_events_event", "batch_events", ["event_seq"], unique=False)
