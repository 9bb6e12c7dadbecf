"""What orchestration costs: 40 batches, 1,120 model calls, 32 in flight, beside bare asyncio.

Both sides run one after the other in one process, against the same offline server with the same latency.
Penstock runs in full: claims, gate, ledger, Prefect tracking, artifacts, deliverables. CPU is that of this
process, the Prefect server and the model server together. Each side does one batch beforehand, which is not
measured: what is compared is the steady state of a service that has been up for a while.
"""

import argparse
import asyncio
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.work import BATCHES, IN_FLIGHT, TEXTS, bare, calls_of, cpu_s, model_server

CALLS = calls_of(BATCHES)


def run(latency_s: float = 1.0, runs: int = 1) -> dict[str, Any]:
    """Medians of `runs`: seconds, ratio to bare asyncio, CPU milliseconds per call."""
    results = [_one_run(latency_s) for _ in range(runs)]
    medians = {name: round(statistics.median(one[name] for one in results), 3) for name in results[0]}
    return {
        "batches": BATCHES,
        "calls": CALLS,
        "in_flight": IN_FLIGHT,
        "latency_s": latency_s,
        **medians,
        "runs": results,
    }


def _one_run(latency_s: float) -> dict[str, float]:
    """One comparison in a process of its own, so that nothing is warm from the run before."""
    command = [sys.executable, "-m", "benchmarks.orchestration", "--inner", "--latency", str(latency_s)]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PENSTOCK_HOME": folder}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {result}", flush=True)
    return result


def inner(latency_s: float) -> dict[str, float]:
    """Both sides; called in a fresh process with a home of its own."""
    home = Path(os.environ["PENSTOCK_HOME"])
    importlib.import_module("anthropic")
    with model_server(home, latency_s) as url, installation(url) as settings:
        for batches in (1, BATCHES):
            bare_s, bare_cpu = _measured(bare(url, batches))
        for batches in (1, BATCHES):
            seed(settings, batches)
            ours_s, ours_cpu = _measured(ours(settings))
        check_all_done(settings, BATCHES + 1)
        calls = httpx.get(f"{url}/offline/stats").json()
    return {
        "bare_s": round(bare_s, 2),
        "penstock_s": round(ours_s, 2),
        "ratio": round(ours_s / bare_s, 3),
        "bare_cpu_ms_per_call": round(bare_cpu / CALLS * 1000, 2),
        "cpu_ms_per_call": round(ours_cpu / CALLS * 1000, 2),
        "max_in_flight": calls["max_in_flight"],
    }


@contextmanager
def installation(url: str) -> Iterator[Any]:
    """Settings of a home whose Prefect server runs and whose model is at `url`, for the time of the block."""
    from deployments.services import prefect_server, stop_services, use_prefect
    from tasks.settings import load_settings

    os.environ |= {"PENSTOCK_OFFLINE_URL": url, "PENSTOCK_TOP_RECOMMENDATIONS": "2"}
    os.environ |= {"PENSTOCK_MODEL_REQUESTS_IN_FLIGHT": str(IN_FLIGHT)}
    settings = load_settings()
    use_prefect(settings, prefect_server(settings))
    importlib.import_module("flows.lane")
    from deployments.limits import ensure_limits

    try:
        asyncio.run(ensure_limits(settings))
        yield settings
    finally:
        stop_services(settings)


def _measured(work: Any) -> tuple[float, float]:
    before, started = cpu_s(), time.monotonic()
    asyncio.run(work)
    return time.monotonic() - started, cpu_s() - before


def check_all_done(settings: Any, batches: int) -> None:
    """A figure counts only if the work was whole: every batch DONE, and as many calls as bare asyncio makes."""
    from ledger.engine import close_ledger, open_ledger
    from ledger.status import status

    ledger = open_ledger(settings.ledger_url)
    found = status(ledger)
    close_ledger(ledger)
    if (found["batches"]["by_state"], found["calls"]) != ({"DONE": batches}, calls_of(batches)):
        raise RuntimeError(f"not the work that was to be measured: {found}")


async def ours(settings: Any) -> None:
    """The real thing, from batches that are ready to deliverables."""
    from flows.lane import process_ready_batches
    from tasks.runtime import runtime

    async with runtime(settings):
        await process_ready_batches()


def seed(settings: Any, batches: int) -> None:
    """That many tenants with one batch of ten events each."""
    from ledger.batches import create_batches
    from ledger.engine import close_ledger, open_ledger
    from ledger.intake import prepare_event, record_intake
    from ledger.pending import pending_events
    from tasks.batching import BatchPolicy, plan_batches

    ledger, now = open_ledger(settings.ledger_url), datetime.now(UTC)
    events = [_event(tenant, number, now) for number in range(10) for tenant in range(batches)]
    prepared = [
        prepare_event(event, event.model_dump_json(), raw=b"{}", tokens=40, pipeline="insights", line=line)
        for line, event in enumerate(events, 1)
    ]
    record_intake(ledger, "bench", prepared, [], now)
    create_batches(ledger, plan_batches(pending_events(ledger), BatchPolicy(), now), now)
    close_ledger(ledger)


def _event(tenant: int, number: int, now: datetime) -> Any:
    from contracts.events import Event, Kind, Priority

    return Event(
        id=f"{now.isoformat()}-{number}",
        source="bench",
        type=Kind.FEEDBACK,
        time=now,
        tenant=f"tenant-{tenant}",
        user=None,
        priority=Priority.HIGH,
        feature="bench",
        topic="phones",
        data={"text": TEXTS[number % 2].format(n=number)},
    )


def main() -> None:
    """`python -m benchmarks.orchestration [--latency S] [--runs N]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--inner", action="store_true")
    options = parser.parse_args()
    print(json.dumps(inner(options.latency) if options.inner else run(options.latency, options.runs)))


if __name__ == "__main__":
    main()
