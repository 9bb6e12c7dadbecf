"""What each rival offers: `ready(url, folder)`, a block in which it can play batches against the model at `url`."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Names = Sequence[str]
"""Names of batches; none is given twice."""


def _nothing(names: Names) -> None:
    """Most have nothing to prepare."""


@dataclass(frozen=True)
class Player:
    """A rival that is up: `play` does all calls of some batches; `prepare`, before it, is not measured.

    `beside` are ids of processes that work for it and were not started by this one, `api` is the address of its
    Prefect server where it has one.
    """

    play: Callable[[Names], Coroutine[Any, Any, None]]
    prepare: Callable[[Names], None] = _nothing
    beside: tuple[int, ...] = ()
    api: str = ""


Ready = Callable[[str, Path], AbstractContextManager[Player]]
