"""Stopping: Ctrl-C and SIGTERM cancel asynchronous work, so that it can give back what it holds."""

import asyncio
import signal
from collections.abc import Coroutine

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_stopped(work: Coroutine[None, None, None]) -> None:
    """Run `work`; a signal cancels it and, when it has cleaned up, is a KeyboardInterrupt."""

    async def cancellable() -> None:
        task = asyncio.ensure_future(work)
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await task

    try:
        asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
