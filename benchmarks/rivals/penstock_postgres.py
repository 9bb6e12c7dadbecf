"""Penstock as in `penstock`, with its Prefect server on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.postgres import postgres
from benchmarks.rivals import penstock
from benchmarks.rivals.player import Player


@contextmanager
def ready(url: str, folder: Path) -> Iterator[Player]:
    """The database is made for it, and gone with it."""
    with postgres() as make:
        database = make("prefect").replace("postgresql://", "postgresql+asyncpg://")
        server = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database}
        with penstock.ready(url, folder, (make.pid,), **server) as player:
            yield player
