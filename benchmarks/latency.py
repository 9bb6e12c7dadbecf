"""How soon an urgent event is worked on: from its acceptance to the moment in which its first model request leaves.

Both are in the ledger, so nothing is measured that would not happen anyway. One event at a time, each its own batch,
on a machine that does nothing else: `cold` where the last lane has left, so that event, automation, run and claim all
lie in between; `at work` where it is still looking. Beside a warm worker the same deployments on a pool of processes.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks.work import model_server

PENSTOCK = Path(sys.executable).with_name("penstock")
PREFECT = Path(sys.executable).with_name("prefect")
POOL: Final = "penstock"
LANE_LEFT_S: Final = 12.0
"""A lane looks on for ten seconds."""
STORY = "The export has failed every morning since Monday and nobody answers the phone, {n} calls so far."
FIRST_REQUEST = """
    SELECT min(c.started_at) - e.accepted_at FROM events e
    JOIN batch_events b ON b.event_seq = e.seq JOIN model_calls c ON c.batch_id = b.batch_id
    WHERE e.seq > ? GROUP BY e.seq
"""

PoolType = Literal["warm", "process"]


def run(cold: int = 50, at_work: int = 50, processes: int = 50) -> dict[str, Any]:
    """Seconds for each kind: every value, p50 and p95 (nearest rank)."""
    with installation("warm") as ours:
        seen: dict[str, Any] = {
            "warm, cold": _told(ours.waits(cold, apart_s=LANE_LEFT_S)),
            "warm, at work": _told(ours.waits(at_work, apart_s=0.5)),
        }
    with installation("process") as theirs:
        seen["process, cold"] = _told(theirs.waits(processes, apart_s=LANE_LEFT_S))
    return seen


def _told(seconds: list[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {
        "events": len(ordered),
        "p50_s": round(statistics.median(ordered), 3),
        "p95_s": round(ordered[max(0, -(-95 * len(ordered) // 100) - 1)], 3),
        "seconds": [round(one, 3) for one in seconds],
    }


class Installation:
    """A home with its services and a worker."""

    worker: subprocess.Popen[bytes]

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home, self.environment = home, environment
        self._sent = 0

    def waits(self, events: int, *, apart_s: float) -> list[float]:
        """Send one event after another, each when the last one's batch is done, and so many seconds later."""
        self.send()  # The first of all opens connections; it is not measured.
        before = self.query("SELECT max(seq) FROM events")[0]
        for _ in range(events):
            time.sleep(apart_s)
            self.send()
        return [wait / 1_000_000 for wait in self.query(FIRST_REQUEST, before)]

    def send(self) -> None:
        """One event, and wait until its batch has ended."""
        self._sent += 1
        event = {
            "id": f"e-{self._sent}",
            "source": "bench",
            "type": "feedback.submitted",
            # One of their own: a tenant has a hundred solutions a day.
            "tenant": f"t-{self._sent}",
            "priority": "HIGH",
            "time": datetime.now(UTC).isoformat(),
            "data": {"text": STORY.format(n=self._sent)},
        }
        self.command("ingest", "-", stdin=json.dumps(event))
        deadline = time.monotonic() + 300
        while self.query("SELECT count(*) FROM batches WHERE state = 'DONE'")[0] < self._sent:
            if time.monotonic() > deadline or self.worker.poll() is not None:
                log = (self.home / "worker.log").read_text()
                raise RuntimeError(f"event {self._sent} was not worked on:\n{log[-2000:]}")
            time.sleep(0.1)

    def command(self, *words: str, stdin: str = "") -> None:
        """A command of `penstock`."""
        subprocess.run(
            [PENSTOCK, *words],
            env=self.environment,
            input=stdin,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def query(self, query: str, *given: int) -> list[Any]:
        """The first column of what the ledger answers."""
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(self.home / "ledger.db")) as ledger:
            return [row[0] for row in ledger.execute(query, given)]


@contextmanager
def installation(pool_type: PoolType, latency_s: float = 0.0, **settings: str) -> Iterator[Installation]:
    """`penstock up`, which is a warm worker; or its services, deployments on a process pool, and a worker for it.

    `settings` are variables of its environment besides.
    """
    with tempfile.TemporaryDirectory() as folder, model_server(Path(folder), latency_s) as model:
        home = Path(folder)
        given = {
            **os.environ,
            "PENSTOCK_HOME": folder,
            "PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD": "1",
            "PENSTOCK_SOLUTION_FORMS": '["action_plan"]',
            "PENSTOCK_AUDIENCES": '["admin"]',
            "PENSTOCK_POOL_TYPE": pool_type,
            "PENSTOCK_OFFLINE_URL": model,
            **settings,
        }
        made = Installation(home, given)
        try:
            with _worker(made, pool_type, home / "worker.log"):
                yield made
        finally:
            made.command("down")


@contextmanager
def _worker(made: Installation, pool_type: PoolType, log: Path) -> Iterator[None]:
    command: list[str | Path] = [PENSTOCK, "up", "--json"]
    environment = dict(made.environment)
    if pool_type == "process":
        made.command("deploy", "--yes")
        made.command("run")
        prefect = json.loads((made.home / "services" / "prefect.json").read_text())
        environment["PREFECT_API_URL"] = prefect["url"]
        command = [PREFECT, "worker", "start", "--pool", POOL, "--type", "process"]
    with log.open("wb") as told:
        worker = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
        try:
            made.worker = worker
            yield
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(120)


def main() -> None:
    """`python -m benchmarks.latency [--cold N] [--at-work N] [--processes N]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", type=int, default=50)
    parser.add_argument("--at-work", type=int, default=50)
    parser.add_argument("--processes", type=int, default=50)
    options = parser.parse_args()
    print(json.dumps(run(options.cold, options.at_work, options.processes)))


if __name__ == "__main__":
    main()
