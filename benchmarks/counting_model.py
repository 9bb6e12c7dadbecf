"""A model's server that does nothing but wait and count: cheap enough that it limits nobody.

It speaks as much HTTP/1.1 as it takes and answers every message alike, after a time drawn anew for each. A
request is in flight until its answer is due, also where whoever asked has died meanwhile: a provider goes on too.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import orjson

from benchmarks.loopback import served

ANSWER: Final = orjson.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "offline-extractive",
        "content": [{"type": "text", "text": "{}"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 40, "output_tokens": 10},
    }
)
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)


@dataclass
class Counted:
    """What has been in flight, and when: `moments` are (seconds, in flight from then on)."""

    url: str = ""
    answered: int = 0
    in_flight: int = 0
    most: int = 0
    moments: list[tuple[float, int]] = field(default_factory=list)

    def moved(self, by: int) -> None:
        """One more, or one less."""
        self.in_flight += by
        self.most = max(self.most, self.in_flight)
        self.moments.append((time.monotonic(), self.in_flight))

    def mean(self, since: float, until: float) -> float:
        """Requests in flight on average in that time."""
        inside = [one for one in self.moments if since <= one[0] <= until]
        ends = [at for at, _ in inside[1:]] + [until]
        return sum(flying * (end - at) for (at, flying), end in zip(inside, ends, strict=True)) / (
            until - inside[0][0]
        )


@contextmanager
def counting_model(shortest_s: float, longest_s: float, seed: int = 0) -> Iterator[Counted]:
    """The server on loopback, in a thread, for the time of the block."""
    counted, drawn = Counted(), random.Random(seed)  # noqa: S311 - no secret

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                counted.moved(1)
                await asyncio.sleep(drawn.uniform(shortest_s, longest_s))
                counted.moved(-1)
                counted.answered += 1
                writer.write(HEAD + ANSWER)
                await writer.drain()
        writer.close()

    with served(answer) as address:
        counted.url = f"http://{address}"
        yield counted


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
