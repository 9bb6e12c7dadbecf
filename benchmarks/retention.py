"""How quick Prefect's list of flow runs stays: empty, with one page of runs, after 100,000 task runs, after retention.

One lane's run with its task runs is made through the API; its rows are then copied in the server's database, as many
times as it takes, for the API would take half an hour. Each figure is the median of a number of requests as the UI
makes them: a page of the latest runs. Retention runs as its flow does, against the same server.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

TASK_RUNS: Final = 100_000
TASKS_A_RUN: Final = 50
KEPT: Final = 100
PAGES: Final = 41
PAGE: Final[dict[str, Any]] = {"sort": "START_TIME_DESC", "limit": 20}


def run(task_runs: int = TASK_RUNS) -> dict[str, Any]:
    """Milliseconds a page takes before, with all the runs, and after retention; seconds that retention took."""
    from deployments.services import prefect_server, stop_services, use_prefect
    from tasks.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), offline_url="http://127.0.0.1:9")  # nobody asks it
        server = prefect_server(settings)
        use_prefect(settings, server)
        try:
            return asyncio.run(_measured(settings, server.url, task_runs))
        finally:
            stop_services(settings)


async def _measured(settings: Any, url: str, task_runs: int) -> dict[str, Any]:
    from deployments.prefect_data import embedded_database
    from flows.retention import prune_runs
    from tasks.runtime import runtime

    empty = page_ms(url)
    await _one_lane()
    database = embedded_database(settings.home)
    lane = _rows(database)
    multiply(database, lane, range(1, PAGE["limit"]))
    page = page_ms(url)
    multiply(database, lane, range(PAGE["limit"], task_runs // TASKS_A_RUN))
    full = page_ms(url)
    async with runtime(settings):
        started = time.monotonic()
        pruned = await prune_runs(keep_runs=KEPT)
        took = time.monotonic() - started
    return {
        "task_runs": task_runs,
        "flow_runs": task_runs // TASKS_A_RUN,
        "empty_ms": empty,
        "page_ms": page,
        "full_ms": full,
        "ratio_to_empty": round(full / empty, 2),
        "ratio_to_page": round(full / page, 2),
        "pruned_ms": page_ms(url),
        "pruned_runs": pruned.runs,
        "prune_s": round(took, 1),
    }


def page_ms(url: str) -> float:
    """The median of `PAGES` requests over one connection."""
    times = []
    with httpx.Client(base_url=url) as client:
        for _ in range(PAGES):
            started = time.perf_counter()
            client.post("flow_runs/filter", json=PAGE).raise_for_status()
            times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1000, 2)


async def _one_lane() -> None:
    """A lane's run with its task runs, at its end."""
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    from flows.lane import process_ready_batches
    from flows.names import TAG
    from flows.process_batch import run_batch

    async with get_client() as client:
        made = await client.create_flow_run(process_ready_batches, tags=[TAG], state=Completed())
        for number in range(TASKS_A_RUN):
            await client.create_task_run(run_batch, made.id, dynamic_key=str(number), state=Completed())


TABLES: Final = (
    ("flow_run", "flow_run_state"),
    ("task_run", "task_run_state"),
)


Rows = dict[str, list[sqlite3.Row]]


def _rows(database: Path) -> Rows:
    """Everything that the server has of its only lane."""
    with closing(sqlite3.connect(database, timeout=120)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [table for one in TABLES for table in one]
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def multiply(database: Path, lane: Rows, numbers: range) -> None:
    """Copy the lane once a number, which is also how many seconds earlier it began."""
    started = datetime.now(UTC)
    with closing(sqlite3.connect(database, timeout=120)) as connection:
        for number in numbers:
            _copy(connection, lane, started - timedelta(seconds=number))
            if not number % 100:
                connection.commit()
        connection.commit()
        connection.execute("ANALYZE")
        connection.commit()


def _copy(connection: sqlite3.Connection, lane: Rows, at: datetime) -> None:
    """One more lane: new ids throughout, and another time."""
    ids: dict[str, str] = {}

    def fresh(old: str | None) -> str | None:
        return old if old is None else ids.setdefault(old, str(uuid4()))

    moment = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    for table, rows in lane.items():
        for row in rows:
            values = dict(row)
            for name in values.keys() & {"id", "state_id", "flow_run_id", "task_run_id"}:
                values[name] = fresh(values[name])
            for name in values.keys() & {
                "created",
                "expected_start_time",
                "start_time",
                "end_time",
                "timestamp",
            }:
                values[name] = moment if values[name] else None
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", values)


def main() -> None:
    """`python -m benchmarks.retention [--task-runs N]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-runs", type=int, default=TASK_RUNS)
    print(json.dumps(run(parser.parse_args().task_runs)))


if __name__ == "__main__":
    main()
