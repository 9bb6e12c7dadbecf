"""How long Prefect's API takes to answer while work goes on: a page of flow runs, as its UI asks for it.

A process of its own asks, so that nothing of the work lies in between, and at its own times, whether or not what it
asked before has been answered: a server that stands still is not spared. `python -m benchmarks.api_times URL` asks
until its input ends.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

EVERY_S: Final = 0.5
PAGE: Final = {"limit": 20, "sort": "EXPECTED_START_TIME_DESC"}


@contextmanager
def api_times(url: str) -> Iterator[list[float]]:
    """Seconds of each answer, there after the block; none without an address."""
    times: list[float] = []
    if not url:
        yield times
        return
    command = [sys.executable, "-m", "benchmarks.api_times", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        yield times
        told, _ = asking.communicate()
        times += json.loads(told)


def p95_ms(times: list[float]) -> dict[str, float]:
    """The figure by its name, where there are enough answers to have one."""
    return {"api_p95_ms": round(1000 * statistics.quantiles(times, n=20)[-1], 1)} if len(times) > 1 else {}


async def asked(url: str) -> list[float]:
    """The time of every answer, also of one that is a refusal."""
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def one() -> float:
            started = time.monotonic()
            await client.post("/flow_runs/filter", json=PAGE)
            return time.monotonic() - started

        answers = []
        while not (await asyncio.wait([ended], timeout=EVERY_S))[0]:
            answers.append(asyncio.ensure_future(one()))
        return await asyncio.gather(*answers)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asked(sys.argv[1]))))
