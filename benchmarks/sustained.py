"""A warm worker that works for long: model calls a second at 5 ms latency, and its memory after 100 and 2,000 batches.

`penstock up` with all that it keeps: ledger, gate, Prefect's tracking, artifacts, deliverables, the lake. The rate is
that of batches like those of the 1,120 calls: ten events, 28 calls. Memory may grow with the number of batches, so it
is measured over the smallest there are: one event, one solution, one audience, ten calls; their rate is told, too.
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime
from typing import Any, Final

import psutil

from benchmarks.latency import STORY, Installation, installation
from benchmarks.work import TEXTS, calls_of

USUAL: Final = 300
WARM: Final = 30
SMALLEST: Final = 2_000
EARLY: Final = 100
THIRDS: Final = 3
LATENCY_S: Final = 0.005
PATIENCE_S: Final = 3_600
USUAL_SETTINGS: Final = {
    "PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD": "10",
    "PENSTOCK_TOP_RECOMMENDATIONS": "2",
    "PENSTOCK_SOLUTION_FORMS": '["document", "action_plan", "structured_report"]',
    "PENSTOCK_AUDIENCES": '["admin", "team_lead", "end_user"]',
}


def run(usual: int = USUAL, smallest: int = SMALLEST) -> dict[str, Any]:
    """Calls a second, the median of a run's thirds, of usual batches and of the smallest; with these, memory too."""
    return {"latency_s": LATENCY_S, "usual": _usual(usual), "smallest": _smallest(smallest)}


def _usual(batches: int) -> dict[str, Any]:
    with installation("warm", latency_s=LATENCY_S, **USUAL_SETTINGS) as made:
        made.command(
            "ingest",
            "-",
            stdin="".join(_event(n, TEXTS[n // batches % 2], n % batches) for n in range(10 * batches)),
        )
        _wait(made, WARM)
        seen = _thirds(made, WARM, batches)
    if seen["calls"] != calls_of(batches):
        raise RuntimeError(f"{seen['calls']} calls were made where {calls_of(batches)} were to be measured")
    return seen


def _smallest(batches: int) -> dict[str, Any]:
    """MB of the worker early and late and their ratio besides."""
    with installation("warm", latency_s=LATENCY_S, PENSTOCK_BATCHING__MAX_EVENTS="1") as made:
        made.command("ingest", "-", stdin="".join(_event(n, STORY, n % 100) for n in range(EARLY)))
        _wait(made, EARLY)
        early = _memory_mb(made)
        made.command("ingest", "-", stdin="".join(_event(n, STORY, n % 100) for n in range(EARLY, batches)))
        seen = _thirds(made, EARLY, batches)
        late = _memory_mb(made)
    return seen | {"early_mb": early, "late_mb": late, "ratio": round(late / early, 3)}


def _event(number: int, text: str, tenant: int) -> str:
    event = {
        "id": f"s-{number}",
        "source": "bench",
        "type": "feedback.submitted",
        "priority": "HIGH",
        "topic": "phones",
        "tenant": f"t-{tenant}",
        "time": datetime.now(UTC).isoformat(),
        "data": {"text": text.format(n=number)},
    }
    return json.dumps(event) + "\n"


def _thirds(made: Installation, done: int, batches: int) -> dict[str, Any]:
    """Calls a second of each third of what is left, once `done` batches are."""
    thirds = [_rate(made, done + (batches - done) * third // THIRDS) for third in range(1, THIRDS + 1)]
    return {
        "batches": batches,
        "calls": _calls(made),
        "calls_per_s": statistics.median(thirds),
        "thirds": thirds,
    }


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
    """`python -m benchmarks.sustained [--usual N] [--smallest N]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usual", type=int, default=USUAL)
    parser.add_argument("--smallest", type=int, default=SMALLEST)
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
