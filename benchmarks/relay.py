"""One address before several servers, as a name has in a network of containers."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.loopback import served


@contextmanager
def relay(ports: Sequence[int]) -> Iterator[str]:
    """`host:port` on loopback that passes each connection to the next of these ports that takes it."""
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

    with served(passed) as address:
        yield address


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # One side has gone; the other is told by the end of its stream.
    finally:
        writer.close()
