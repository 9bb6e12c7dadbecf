"""How long Prefect's API takes to answer while work goes on: a page of flow runs, as its UI asks for it.

A process of its own asks, so that nothing of the work lies in between. `python -m benchmarks.api_times URL` asks until
its input ends.
"""

import json
import select
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


def main() -> None:
    """Ask, wait, ask again; the times as JSON when nobody listens any more."""
    times: list[float] = []
    with httpx.Client(base_url=sys.argv[1], timeout=60) as client:
        while not select.select([sys.stdin], [], [], EVERY_S)[0]:
            started = time.monotonic()
            client.post("/flow_runs/filter", json=PAGE).raise_for_status()
            times.append(time.monotonic() - started)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
