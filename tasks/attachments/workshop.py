"""Where files from anywhere are worked on: processes of their own, each bounded in memory and each piece in time.

Pebble's pool ends a process that takes too long; one that asks for too much memory ends by itself. Either way the
file is refused, and the rest goes on.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import TimeoutError as TooLateError
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from tasks.attachments.refusals import BrokenAttachmentError

P = ParamSpec("P")
R = TypeVar("R")

IN_FLIGHT: Final = 10
"""So many pieces of work at once, of all attachments together."""
MOST_S: Final = 60.0
MOST_MEMORY: Final = 1024**3
_RENEWED_AFTER: Final = 500
"""Pieces of work: what a broken file has left behind in a process does not stay for ever."""


class Workshop:
    """Runs plain functions, at most `IN_FLIGHT` at once, on as many processes as there are cores."""

    def __init__(self, *, most_s: float = MOST_S, most_memory: int = MOST_MEMORY) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tasks.attachments.steps"])
        self._pool = ProcessPool(
            max_workers=min(os.cpu_count() or 1, IN_FLIGHT),
            max_tasks=_RENEWED_AFTER,
            initializer=_bound,
            initargs=(most_memory,),
            context=context,
        )
        self._most_s, self._most_memory = most_s, most_memory
        self._turn = asyncio.Semaphore(IN_FLIGHT)

    async def __aenter__(self) -> Self:
        """Processes start with the first piece of work."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes; what is in work is waited for, unless something went wrong."""
        if error is None:
            self._pool.close()  # type: ignore[no-untyped-call]
        else:
            self._pool.stop()  # type: ignore[no-untyped-call]
        await asyncio.to_thread(self._pool.join)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function gives, or raises.

        Raises:
            BrokenAttachmentError: it took too long or too much memory.
        """
        async with self._turn:
            work = self._pool.schedule(function, args, kwargs, timeout=self._most_s)
            try:
                return await asyncio.wrap_future(work)
            except TooLateError:
                raise BrokenAttachmentError(f"it cannot be worked on within {self._most_s:g} s") from None
            except (MemoryError, ProcessExpired):
                most = self._most_memory // 1024**2
                raise BrokenAttachmentError(f"it cannot be worked on within {most:,} MiB of memory") from None


def _bound(most_memory: int) -> None:
    """In a new process: so much memory, and Ctrl-C is for the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
