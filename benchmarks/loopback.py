"""A server on loopback, in a thread with an event loop of its own."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE_S = 10


@contextmanager
def served(answer: Answers) -> Iterator[str]:
    """Its `host:port`, for the time of the block; `answer` is given every connection."""
    told: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = queue.Queue()

    async def serve() -> None:
        ended = asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            told.put((asyncio.get_running_loop(), ended, listening.sockets[0].getsockname()[1]))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    loop, ended, port = told.get(timeout=PATIENCE_S)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
