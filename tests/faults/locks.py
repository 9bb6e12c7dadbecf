"""Somebody who keeps the ledger locked."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine

OUTAGE_S = 30


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else, not of ours, has the write lock: a backup, a shell with an open transaction."""
    stranger = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with stranger.connect() as connection:
        if stranger.dialect.name == "sqlite":
            connection.connection.driver_connection.isolation_level = None
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("LOCK TABLE events, batches, model_calls IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.connection.driver_connection.rollback()
    stranger.dispose()
