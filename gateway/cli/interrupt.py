"""Stopping: Ctrl-C and SIGTERM tell asynchronous work to end, so that it can give back what it holds."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTICE_S = 0.2

Work = asyncio.Task[None]
Running = Future[tuple[asyncio.AbstractEventLoop, Work]]


def run_until_stopped(
    work: Coroutine[Any, Any, None], on_signal: Callable[[Work], object] = asyncio.Task.cancel
) -> None:
    """Run `work`; at each signal call `on_signal` with its task, on its loop. Cancelled, it is a KeyboardInterrupt.

    The loop has a thread of its own: on the main thread Prefect takes SIGTERM for itself and breaks the loop
    off in the middle, elsewhere it leaves signals alone.
    """
    running: Running = Future()
    with ThreadPoolExecutor(max_workers=1) as thread:
        ended = thread.submit(asyncio.run, _announced(work, running))
        loop, task = running.result()
        before = [
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal, task)) for number in SIGNALS
        ]
        try:
            # Only awake does the main thread notice a signal that the system has given to another thread.
            while wait([ended], NOTICE_S).not_done:
                pass
            ended.result()
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            for number, handler in zip(SIGNALS, before, strict=True):
                signal.signal(number, handler)


async def _announced(work: Coroutine[Any, Any, None], running: Running) -> None:
    task = asyncio.create_task(work)
    running.set_result((asyncio.get_running_loop(), task))
    await task
