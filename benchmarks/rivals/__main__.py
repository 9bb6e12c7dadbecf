"""`python -m benchmarks.rivals`: the same model calls by bare asyncio, by hand, DBOS, Prefect alone, and Penstock.

Each plays in a fresh process with a home of its own, one after the other, run by run; figures are medians. CPU is that
of all processes that take part, the model server and the databases' among them. `beyond bare` is without what bare
asyncio took in the same run. The exit code is 1 where one failed, made other calls, or had more in flight than allowed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any, Final

from benchmarks.machine import machine, pace_ms
from benchmarks.work import BATCHES, IN_FLIGHT, calls_of

RIVALS: Final = (
    "bare",
    "by_hand",
    "dbos_transact",
    "naive_prefect",
    "penstock",
    "penstock_postgres",
    "penstock_batches",
)
BARE: Final = RIVALS[0]
SETTINGS: Final = ("PENSTOCK_", "PREFECT_", "DBOS_", "ANTHROPIC_")


def main() -> None:
    """Play, and print the figures as JSON."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    asked.add_argument("--latency", type=float, default=1.0, help="seconds of each model call (default 1)")
    asked.add_argument("--runs", type=int, default=3, help="how many runs (default 3)")
    asked.add_argument(
        "--batches", type=int, default=BATCHES, help=f"batches of 28 calls (default {BATCHES})"
    )
    asked.add_argument("--only", choices=RIVALS[1:], action="append", help="this one beside bare asyncio")
    given = asked.parse_args()
    names = (BARE, *(given.only or RIVALS[1:]))
    result = run(given.latency, given.runs, given.batches, names)
    print(json.dumps(result, indent=2))
    if any(wrong for rival in result["rivals"].values() for wrong in rival["wrong"]):
        raise SystemExit(1)


def run(latency_s: float, runs: int, batches: int, names: tuple[str, ...] = RIVALS) -> dict[str, Any]:
    """The medians of each rival and the runs they come from."""
    pace = pace_ms()
    played = [_run(names, latency_s, batches) for _ in range(runs)]
    return {
        "machine": machine(),
        "pace_ms": [pace, pace_ms()],
        "batches": batches,
        "calls": calls_of(batches),
        "in_flight": IN_FLIGHT,
        "latency_s": latency_s,
        "rivals": {name: _summary([one[name] for one in played]) for name in names},
    }


def _run(names: tuple[str, ...], latency_s: float, batches: int) -> dict[str, dict[str, Any]]:
    """Each rival once, beside bare asyncio in the same run."""
    played: dict[str, dict[str, Any]] = {}
    for name in names:
        one = played[name] = _match(name, latency_s, batches)
        if "seconds" in one and "seconds" in played[BARE]:
            bare = played[BARE]
            one["ratio"] = round(one["seconds"] / bare["seconds"], 3)
            beyond = one["cpu_ms_per_call"] - bare["cpu_ms_per_call"]
            one["cpu_ms_per_call_beyond_bare"] = round(beyond, 2)
        print(f"  {name}: {one}", file=sys.stderr, flush=True)
    return played


def _match(name: str, latency_s: float, batches: int) -> dict[str, Any]:
    """One rival in a fresh process, which sees nobody's settings but its home."""
    command = [sys.executable, "-m", "benchmarks.rivals.match", name, str(latency_s), str(batches)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    # Rivals log as much as they do by default, but not between the figures.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        environment = {**kept, "PENSTOCK_HOME": folder}
        done = subprocess.run(
            command, env=environment, check=False, stdout=subprocess.PIPE, stderr=log, text=True
        )
        log.seek(0)
        told = log.read()
    if done.returncode:
        print(told[-4000:], file=sys.stderr)
        return {"wrong": [f"failed: {told.strip().rpartition(chr(10))[2]}"]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the runs that did not fail, and whatever was wrong in any."""
    figures = {key for one in runs for key, value in one.items() if isinstance(value, int | float)}
    medians = {
        key: round(statistics.median(one[key] for one in runs if key in one), 3) for key in sorted(figures)
    }
    # What is above the cap in one run is above it.
    highest = {"max_in_flight": max(one["max_in_flight"] for one in runs if "max_in_flight" in one)}
    wrong = [wrong for one in runs for wrong in one["wrong"]]
    return medians | (highest if figures else {}) | {"wrong": wrong, "runs": runs}


if __name__ == "__main__":
    main()
