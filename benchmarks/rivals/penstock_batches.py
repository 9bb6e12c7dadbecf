"""Penstock as in `penstock`, with task runs of batches alone (`PENSTOCK_TRACK=batches`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rivals import penstock
from benchmarks.rivals.player import Player


@contextmanager
def ready(url: str, folder: Path) -> Iterator[Player]:
    """The setting is the process's own."""
    os.environ["PENSTOCK_TRACK"] = "batches"
    with penstock.ready(url, folder) as player:
        yield player
