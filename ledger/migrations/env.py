"""Alembic's way in: it runs on the connection, and in the transaction, that the caller holds."""

from alembic import context

from ledger import (  # noqa: F401, their tables join the metadata
    access_tables,
    attachment_tables,
    control_tables,
    outcome_tables,
    review_tables,
)
from ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
