"""Penstock itself: claims, gate, ledger, Prefect tracking, artifacts and deliverables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.installation import check_all_done, installation, ours, seed, warm_host
from benchmarks.rivals.player import Names, Player


@contextmanager
def ready(url: str, _folder: Path, beside: tuple[int, ...] = (), **server: str) -> Iterator[Player]:
    """An installation in the home that the environment names; at the end every batch must have been done.

    `server` is what its Prefect server finds in its environment, `beside` are processes that work for it.
    """
    batches = 0
    with installation(url, **server) as settings, warm_host(settings) as host:

        def prepare(names: Names) -> None:
            nonlocal batches
            batches += len(names)
            seed(settings, len(names))

        async def play(_names: Names) -> None:
            await ours(host)

        yield Player(play, prepare, beside, os.environ["PREFECT_API_URL"])
        check_all_done(settings, batches)
