"""Where files from anywhere are worked on: processes of their own, each bounded in memory and each piece in time.

Pebble's pool ends a process that takes too long. One that asks for too much memory ends itself, so that the next file
gets a fresh one. Either way that file is refused, and the rest goes on.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from tasks.attachments.refusals import BrokenAttachmentError

P = ParamSpec("P")
R = TypeVar("R")

IN_FLIGHT: Final = 10
"""So many pieces of work at once, of all attachments together."""
MOST_S: Final = 60.0
MOST_MEMORY: Final = 2 * 1024**3
"""A picture of the most pixels takes 1.2 GB while it is marked and packed as WebP."""
_RENEWED_AFTER: Final = 500
"""Pieces of work: what a broken file has left behind in a process does not stay for ever."""
TRIES: Final = 2
"""How often a piece is begun, where its pool breaks through no fault of it."""
_A_MOMENT_S: Final = 0.2
_NO_MEMORY: Final = 77
"""The exit code of a process that had asked for too much memory."""
_FELL_OVER: Final = frozenset(
    {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}
)
"""How processes end over what a library does with a file."""


class WorkshopError(Exception):
    """A process was ended from outside: that says nothing of the file, which is to be tried again."""


class Workshop:
    """Runs plain functions, at most `IN_FLIGHT` at once, on as many processes as there are cores."""

    def __init__(self, *, most_s: float = MOST_S, most_memory: int = MOST_MEMORY) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tasks.attachments.steps"])
        # First, for it lets the signals through again that are held back here.
        resource_tracker.ensure_running()
        with _stop_signals_held_back():
            forkserver.ensure_running()
        self._most_s, self._most_memory = most_s, most_memory
        self._turn = asyncio.Semaphore(IN_FLIGHT)
        self._pool = self._new_pool()

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
            BrokenAttachmentError: it took too long or too much memory, or a library fell over.
            WorkshopError: its process was ended from outside.
        """
        async with self._turn:
            for _ in range(TRIES):
                pool = self._pool
                try:
                    return await asyncio.wrap_future(self._scheduled(pool, function, args, kwargs))
                except TooLateError:
                    raise BrokenAttachmentError(f"it cannot be worked on within {self._most_s:g} s") from None
                except ProcessExpired as ended:
                    raise self._judged(ended) from None
                except BrokenProcessPool:
                    await self._renew(pool)
            raise WorkshopError("the processes that worked on it had to be started anew")

    def _scheduled(
        self,
        pool: ProcessPool,
        function: Callable[P, R],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> "Future[R]":
        """The piece in the pool's queue. BrokenProcessPool where that takes nothing any more."""
        try:
            scheduled: Future[R] = pool.schedule(_worked, (function, args, kwargs), timeout=self._most_s)
        except RuntimeError as error:
            raise BrokenProcessPool(str(error)) from error
        return scheduled

    async def _renew(self, broken: ProcessPool) -> None:
        """Another pool, unless somebody has put one in its place already.

        Pebble gives all of its pool up where a process ends before it is known what that was working on.
        """
        if self._pool is broken:
            self._pool = self._new_pool()
            broken.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(broken.join)

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=min(os.cpu_count() or 1, IN_FLIGHT),
            max_tasks=_RENEWED_AFTER,
            initializer=_bound,
            initargs=(self._most_memory,),
            context=self._context,
        )

    def _judged(self, ended: ProcessExpired) -> BrokenAttachmentError | WorkshopError:
        if ended.exitcode == _NO_MEMORY:
            most = self._most_memory // 1024**2
            return BrokenAttachmentError(f"it cannot be worked on within {most:,} MiB of memory")
        if ended.exitcode in _FELL_OVER:
            return BrokenAttachmentError("it cannot be read: what reads it fell over")
        return WorkshopError(f"a process that worked on it was ended from outside ({ended.exitcode})")


@contextmanager
def _stop_signals_held_back() -> Iterator[None]:
    """What starts meanwhile does not hear Ctrl-C and SIGTERM, which go to all of a group: they are for us to act on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _bound(most_memory: int) -> None:
    """In a new process: so much memory and no more."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))


def _worked(function: Callable[P, R], args: tuple[object, ...], kwargs: dict[str, object]) -> R:
    """The function; without memory the process is of no use any more, to this file or another."""
    try:
        return function(*args, **kwargs)  # type: ignore[arg-type]
    except MemoryError:
        # By then it is known what this process is working on.
        time.sleep(_A_MOMENT_S)
        os._exit(_NO_MEMORY)
