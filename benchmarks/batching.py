"""How long the batching policy takes over many pending events, and how much memory.

`python -m benchmarks.batching [--events N] [--runs N]`. Each run is a process of its own, so that its peak
memory is its own; the events are made before the clock starts, and their memory counts.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.batching import PENDING_SCHEMA, BatchPolicy, plan_batches

NOW = datetime(2024, 5, 7, tzinfo=UTC)
TENANTS = 200
USERS_PER_TENANT = 100


def pending_events(count: int, seed: int = 0) -> pl.DataFrame:
    """`count` events in `PENDING_SCHEMA`: 200 tenants of very different size, 100 users each, over two days.

    One in ten is HIGH, three MEDIUM, six LOW; one in ten has no user. None is in a batch yet and nearly every
    pool is old enough to close at every level, so that a HIGH event goes into six batches: the most work.
    """
    rng = np.random.default_rng(seed)
    tenants = (rng.zipf(1.3, count) - 1) % TENANTS
    users = rng.integers(0, USERS_PER_TENANT, count)
    ages = rng.integers(0, int(timedelta(days=2) / timedelta(microseconds=1)), count)
    frame = pl.DataFrame(
        {
            "seq": np.arange(count),
            "key": [rng.bytes(16) for _ in range(count)],
            "tenant": tenants,
            "user": users,
            "priority": rng.choice([3, 2, 1], count, p=[0.1, 0.3, 0.6]),
            "accepted_at": ages,
            "tokens": rng.integers(20, 3000, count),
            "pipeline": np.where(rng.random(count) < 0.1, "documents", "feedback"),
            "batched": np.zeros(count, dtype=np.int16),
        }
    )
    nameless = pl.Series(rng.random(count) < 0.1)
    return frame.with_columns(
        pl.format("tenant-{}", "tenant"),
        pl.when(~nameless).then(pl.format("user-{}-{}", "tenant", "user")).alias("user"),
        NOW - pl.duration(microseconds="accepted_at"),
    ).cast(dict(PENDING_SCHEMA))  # type: ignore[arg-type] # names to types, as polars documents it


def measure(events: int) -> dict[str, Any]:
    """One run in this process: seconds of `plan_batches`, peak resident megabytes, batches planned."""
    pending = pending_events(events)
    started = time.perf_counter()
    plans = plan_batches(pending, BatchPolicy(), NOW)
    seconds = time.perf_counter() - started
    peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_rss_mb": peak_rss_mb, "batches": len(plans)}


def run(events: int = 1_000_000, runs: int = 3) -> dict[str, Any]:
    """Events and batches, the median seconds and the highest peak (MB) of `runs` fresh processes."""
    command = [sys.executable, "-m", "benchmarks.batching", "--child", "--events", str(events)]
    results = [
        json.loads(
            subprocess.run(command, check=True, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE).stdout
        )
        for _ in range(runs)
    ]
    return {
        "events": events,
        "seconds": round(statistics.median(result["seconds"] for result in results), 3),
        "peak_rss_mb": round(max(result["peak_rss_mb"] for result in results)),
        "batches": results[0]["batches"],
    }


def main() -> None:
    """Run from the command line and print one JSON object."""
    parser = argparse.ArgumentParser(description="Time and memory of the batching policy.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    print(json.dumps(measure(args.events) if args.child else run(args.events, args.runs)))


if __name__ == "__main__":
    main()
