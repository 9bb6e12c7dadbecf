"""Bare asyncio, by which the others are measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rivals.player import Names, Player
from benchmarks.work import bare


@contextmanager
def ready(url: str, _folder: Path) -> Iterator[Player]:
    """Nothing to set up."""

    async def play(names: Names) -> None:
        await bare(url, len(names))

    yield Player(play)
