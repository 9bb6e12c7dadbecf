"""Which database the embedded Prefect server should keep: many flow runs at once, on SQLite and on PostgreSQL.

Rounds of 40 short flow runs that begin in the same moment, each a flow of Penstock's that does next to nothing, so
that what is measured is the server and its database. Each database in a fresh process with a server of its own.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.installation import installation
from benchmarks.postgres import postgres
from benchmarks.work import cpu_s

AT_ONCE: Final = 40
ROUNDS: Final = 5
DATABASES: Final = ("sqlite", "postgresql")


def run(runs: int = 3) -> dict[str, Any]:
    """Of each database the medians: flow runs a second, CPU milliseconds a run, the slowest run's seconds."""
    played = [{database: _fresh(database) for database in DATABASES} for _ in range(runs)]
    return {
        database: {
            name: round(statistics.median(one[database][name] for one in played), 2)
            for name in played[0][database]
        }
        for database in DATABASES
    }


def _fresh(database: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.flow_runs", "--inner", database]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PENSTOCK_HOME": folder}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def inner(database: str) -> dict[str, float]:
    """A warm-up of one round, then those that count."""
    with ExitStack() as stack:
        server, beside = {}, ()
        if database == "postgresql":
            make = stack.enter_context(postgres())
            url = make("prefect").replace("postgresql://", "postgresql+asyncpg://")
            server, beside = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url}, (make.pid,)
        # Nobody asks the model anything.
        settings = stack.enter_context(installation("http://127.0.0.1:9", **server))
        asyncio.run(_rounds(settings, 1))
        before, started = cpu_s(*beside), time.monotonic()
        slowest = asyncio.run(_rounds(settings, ROUNDS))
        took, cpu = time.monotonic() - started, cpu_s(*beside) - before
    count = AT_ONCE * ROUNDS
    return {"runs_per_s": count / took, "cpu_ms_per_run": 1000 * cpu / count, "slowest_s": slowest}


async def _rounds(settings: Any, rounds: int) -> float:
    """The seconds of the slowest run."""
    from flows.upkeep import release_what_waits
    from tasks.runtime import runtime

    async def one() -> float:
        started = time.monotonic()
        await release_what_waits()
        return time.monotonic() - started

    async with runtime(settings):
        return max(
            [took for _ in range(rounds) for took in await asyncio.gather(*(one() for _ in range(AT_ONCE)))]
        )


def main() -> None:
    """`python -m benchmarks.flow_runs`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--inner", choices=DATABASES)
    options = parser.parse_args()
    print(json.dumps(inner(options.inner) if options.inner else run(options.runs)))


if __name__ == "__main__":
    main()
