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
import psutil

BATCHES = 40
STAGES = (1, 1, 6, 3, 3)
CALLS = BATCHES * 2 * sum(STAGES)
IN_FLIGHT = 32


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


@contextmanager
def model_server(home: Path, latency_s: float) -> Iterator[tuple[str, psutil.Process]]:
    """The offline model with a latency, for the time of the block."""
    ready = home / "model.json"
    command = [sys.executable, "-m", "deployments.offline_model", "--port", "0", "--latency", str(latency_s)]
    process = subprocess.Popen([*command, "--ready-file", str(ready)])
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise RuntimeError(f"the model server ended with code {process.returncode}")
            time.sleep(0.05)
        yield json.loads(ready.read_text())["url"], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def inner(latency_s: float) -> dict[str, float]:
    """Both sides; called in a fresh process with a home of its own."""
    from deployments.services import prefect_server, stop_services, use_prefect
    from tasks.settings import load_settings

    home = Path(os.environ["PENSTOCK_HOME"])
    importlib.import_module("anthropic")
    with model_server(home, latency_s) as (url, model):
        os.environ |= {"PENSTOCK_OFFLINE_URL": url, "PENSTOCK_TOP_RECOMMENDATIONS": "2"}
        os.environ |= {"PENSTOCK_MODEL_REQUESTS_IN_FLIGHT": str(IN_FLIGHT)}
        settings = load_settings()
        prefect = prefect_server(settings)
        use_prefect(settings, prefect)
        importlib.import_module("flows.lane")
        from deployments.limits import ensure_limits

        try:
            asyncio.run(ensure_limits(settings))
            processes = [psutil.Process(), psutil.Process(prefect.pid), model]
            for batches in (1, BATCHES):
                bare_s, bare_cpu = _measured(bare(url, batches), processes)
            for batches in (1, BATCHES):
                seed(settings, batches)
                ours_s, ours_cpu = _measured(ours(settings), processes)
            _check_all_done(settings)
            calls = httpx.get(f"{url}/offline/stats").json()
        finally:
            stop_services(settings)
    return {
        "bare_s": round(bare_s, 2),
        "penstock_s": round(ours_s, 2),
        "ratio": round(ours_s / bare_s, 3),
        "bare_cpu_ms_per_call": round(bare_cpu / CALLS * 1000, 2),
        "cpu_ms_per_call": round(ours_cpu / CALLS * 1000, 2),
        "max_in_flight": calls["max_in_flight"],
    }


def _measured(work: Any, processes: list[psutil.Process]) -> tuple[float, float]:
    before, started = _cpu(processes), time.monotonic()
    asyncio.run(work)
    return time.monotonic() - started, _cpu(processes) - before


def _cpu(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(one.user + one.system for one in times)


def _check_all_done(settings: Any) -> None:
    """A figure counts only if the work was whole: every batch DONE, and as many calls as bare asyncio makes."""
    from ledger.engine import close_ledger, open_ledger
    from ledger.status import status

    ledger = open_ledger(settings.ledger_url)
    found = status(ledger)
    close_ledger(ledger)
    warm = BATCHES + 1
    if (found["batches"]["by_state"], found["calls"]) != ({"DONE": warm}, CALLS * warm // BATCHES):
        raise RuntimeError(f"not the work that was to be measured: {found}")


async def bare(url: str, batches: int) -> None:
    """What a careful script does: asyncio, the SDK, a semaphore; the same stages, one item two calls."""
    import anthropic

    from contracts.content import InsightReport
    from evaluation.fence import fenced

    client = anthropic.AsyncAnthropic(api_key="offline", base_url=url, max_retries=0)
    slots = asyncio.Semaphore(IN_FLIGHT)
    shown = [
        {"n": n, "kind": "feedback.submitted", "topic": "phones", "text": TEXTS[0].format(n=n)}
        for n in range(10)
    ]
    body = {
        "model": "offline-extractive",
        "max_tokens": 8000,
        "system": "x" * 1200,
        "messages": [{"role": "user", "content": fenced({"assignment": {}, "events": shown})}],
        "output_config": {
            "format": {"type": "json_schema", "schema": anthropic.transform_schema(InsightReport)}
        },
    }

    async def item() -> None:
        for _ in range(2):
            async with slots:
                reply = await client.messages.create(**body)
            InsightReport.model_validate_json(reply.content[0].text)

    async def batch() -> None:
        for width in STAGES:
            await asyncio.gather(*(item() for _ in range(width)))

    await asyncio.gather(*(batch() for _ in range(batches)))
    await client.close()


# Two complaints in turn, so that a batch has the two recommendations that its six solutions are made for.
TEXTS = (
    "I called {n} times about my booking and waited 40 minutes each time; please offer a callback instead.",
    "You charged my card {n} times for one order and the refund has not arrived; please correct the invoice.",
)


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
