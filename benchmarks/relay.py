"""One address before several servers, as a name has in a network of containers."""

import asyncio
import itertools
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def relay(ports: Sequence[int]) -> Iterator[str]:
    """`host:port` on loopback that passes each connection to the next of these ports that takes it."""
    told: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = queue.Queue()
    turns = itertools.cycle(ports)

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in itertools.islice(turns, len(ports)):
            try:
                there, to = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(_pump(reader, to), _pump(there, writer))
            return
        writer.close()

    async def serve() -> None:
        ended = asyncio.Event()
        async with await asyncio.start_server(passed, "127.0.0.1", 0) as listening:
            told.put((asyncio.get_running_loop(), ended, listening.sockets[0].getsockname()[1]))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    loop, ended, port = told.get(timeout=10)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # One side has gone; the other is told by the end of its stream.
    finally:
        writer.close()
