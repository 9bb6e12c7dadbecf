"""A warm worker that works for long: model calls a second at 5 ms latency, and its memory after 100 and 2,000 batches.

`penstock up` with all that it keeps: ledger, gate, Prefect's tracking, artifacts, deliverables, the lake. Batches are
small (one event, one solution, one audience), for it is their number that memory may grow with.
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime
from typing import Any, Final

import psutil

from benchmarks.latency import STORY, Installation, installation

BATCHES: Final = 2_000
EARLY: Final = 100
THIRDS: Final = 3
LATENCY_S: Final = 0.005
PATIENCE_S: Final = 3_600


def run(batches: int = BATCHES) -> dict[str, Any]:
    """MB of the worker early and late, their ratio, model calls a second: the median of the run's thirds."""
    with installation("warm", latency_s=LATENCY_S, PENSTOCK_BATCHING__MAX_EVENTS="1") as made:
        made.command("ingest", "-", stdin=_events(0, EARLY))
        _wait(made, EARLY)
        early = _memory_mb(made)
        made.command("ingest", "-", stdin=_events(EARLY, batches))
        thirds = [_rate(made, EARLY + (batches - EARLY) * third // THIRDS) for third in range(1, THIRDS + 1)]
        late = _memory_mb(made)
        calls = _calls(made)
    return {
        "batches": batches,
        "calls": calls,
        "latency_s": LATENCY_S,
        "calls_per_s": statistics.median(thirds),
        "thirds": thirds,
        "early_mb": early,
        "late_mb": late,
        "ratio": round(late / early, 3),
    }


def _events(first: int, end: int) -> str:
    """One event of a tenant each; a hundred tenants in turn."""
    shared = {
        "source": "bench",
        "type": "feedback.submitted",
        "priority": "HIGH",
        "time": datetime.now(UTC).isoformat(),
    }
    return "".join(
        json.dumps(shared | {"id": f"s-{n}", "tenant": f"t-{n % 100}", "data": {"text": STORY.format(n=n)}})
        + "\n"
        for n in range(first, end)
    )


def _rate(made: Installation, batches: int) -> float:
    """Model calls a second from now until so many batches are done."""
    calls, began = _calls(made), time.monotonic()
    _wait(made, batches)
    return round((_calls(made) - calls) / (time.monotonic() - began), 1)


def _wait(made: Installation, batches: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (done := made.query("SELECT count(*) FROM batches WHERE state = 'DONE'")[0]) < batches:
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"{done} of {batches} batches were done in {PATIENCE_S} s; logs in {made.home}"
            )
        time.sleep(0.5)


def _memory_mb(made: Installation) -> float:
    return round(psutil.Process(made.worker.pid).memory_info().rss / 2**20, 1)


def _calls(made: Installation) -> int:
    return int(made.query("SELECT count(*) FROM model_calls")[0])


def main() -> None:
    """`python -m benchmarks.sustained [--batches N]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=BATCHES)
    print(json.dumps(run(parser.parse_args().batches)))


if __name__ == "__main__":
    main()
