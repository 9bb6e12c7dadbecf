"""One rival in a process of its own: a batch to warm up, then those that are measured.

Not for people: `python -m benchmarks.rivals` starts it once a run and rival.
"""

import argparse
import asyncio
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.api_times import api_times, p95_ms
from benchmarks.rivals.player import Player, Ready
from benchmarks.work import IN_FLIGHT, calls_of, cpu_by_part, cpu_s, model_server

QUIET: Final = 0.2
"""Processes are at rest that take less than this many seconds of CPU a second."""
PATIENCE_S: Final = 120


def played(name: str, latency_s: float, batches: int) -> dict[str, Any]:
    """What it took: seconds, CPU milliseconds per call, and what was not as it should be."""
    home = Path(os.environ["PENSTOCK_HOME"])
    with model_server(home, latency_s) as url:
        ready: Ready = importlib.import_module(f"benchmarks.rivals.{name}").ready
        with ready(url, home) as player, asyncio.Runner() as runner:
            _play(runner, player, ["warm-up"])
            before = _asked(url)
            with api_times(player.api) as times:
                seconds, parts = _play(runner, player, [f"batch-{number}" for number in range(batches)])
                ended = cpu_s(*player.beside)
            asked = _asked(url)
            after = _cpu_until_quiet(player, ended)
    calls = asked["messages"] - before["messages"]
    return {
        "seconds": round(seconds, 3),
        "cpu_ms_per_call": _a_call(sum(parts.values()) + after, batches),
        "cpu_ms_per_call_by_part": {name: _a_call(one, batches) for name, one in parts.items()},
        "cpu_ms_per_call_afterwards": _a_call(after, batches),
        "calls": calls,
        "max_in_flight": asked["max_in_flight"],
        **p95_ms(times),
        "wrong": _wrong(calls, calls_of(batches), asked["max_in_flight"]),
    }


def _play(runner: asyncio.Runner, player: Player, names: list[str]) -> tuple[float, dict[str, float]]:
    """Seconds, and CPU seconds by what takes them."""
    player.prepare(names)
    before, started = cpu_by_part(*player.beside), time.monotonic()
    runner.run(player.play(names))
    took, after = time.monotonic() - started, cpu_by_part(*player.beside)
    return took, {name: after[name] - before[name] for name in after}


def _a_call(cpu: float, batches: int) -> float:
    return round(1000 * cpu / calls_of(batches), 2)


def _cpu_until_quiet(player: Player, since: float) -> float:
    """CPU seconds of work left over: what is not shown or written yet belongs to the price as well."""
    last = cpu_s(*player.beside)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(1)
        now = cpu_s(*player.beside)
        if now - last < QUIET:
            break
        last = now
    return last - since


def _asked(url: str) -> dict[str, Any]:
    counts: dict[str, Any] = httpx.get(f"{url}/offline/stats").json()
    return counts


def _wrong(calls: int, due: int, in_flight: int) -> list[str]:
    wrong = [f"{calls} calls where {due} were due"] if calls != due else []
    return wrong + ([f"{in_flight} in flight, {IN_FLIGHT} allowed"] if in_flight > IN_FLIGHT else [])


def main() -> None:
    """The last line of the output is the result."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.rivals.match", description=__doc__)
    asked.add_argument("name")
    asked.add_argument("latency", type=float)
    asked.add_argument("batches", type=int)
    given = asked.parse_args()
    print(json.dumps(played(given.name, given.latency, given.batches)), flush=True)
    # Everything is stopped. At exit Prefect's clients would wait a minute for a server that is gone.
    os._exit(0)


if __name__ == "__main__":
    main()
