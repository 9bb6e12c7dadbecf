"""The work that orchestration is measured by, what answers it, and what it costs without any orchestration."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

BATCHES: Final = 40
STAGES: Final = (1, 1, 6, 3, 3)
"""Items of each stage of a batch; an item is two model calls, the second after the first."""
IN_FLIGHT: Final = 32
ASKS: Final = "benchmarks.api_times"
"""Measures, and is no part of what is measured."""
PARTS: Final = ("here", "model", "prefect server", "beside")
"""What takes CPU: the process that does the work, the model's server, Prefect's, and databases."""

# Two complaints in turn, so that a batch has the two recommendations that its six solutions are made for.
TEXTS: Final = (
    "I called {n} times about my booking and waited 40 minutes each time; please offer a callback instead.",
    "You charged my card {n} times for one order and the refund has not arrived; please correct the invoice.",
)


def calls_of(batches: int) -> int:
    """How many model calls so many batches are."""
    return batches * 2 * sum(STAGES)


def request() -> dict[str, Any]:
    """One request as it goes over the wire, about as long as Penstock's own."""
    import anthropic

    from contracts.content import InsightReport
    from evaluation.fence import fenced

    shown = [
        {"n": n, "kind": "feedback.submitted", "topic": "phones", "text": TEXTS[0].format(n=n)}
        for n in range(10)
    ]
    return {
        "model": "offline-extractive",
        "max_tokens": 8000,
        "system": "x" * 1200,
        "messages": [{"role": "user", "content": fenced({"assignment": {}, "events": shown})}],
        "output_config": {
            "format": {"type": "json_schema", "schema": anthropic.transform_schema(InsightReport)}
        },
    }


async def bare(url: str, batches: int) -> None:
    """What a careful script does: asyncio, the SDK, a semaphore; the same stages, one item two calls."""
    import anthropic

    from contracts.content import InsightReport

    client = anthropic.AsyncAnthropic(api_key="offline", base_url=url, max_retries=0)
    slots, body = asyncio.Semaphore(IN_FLIGHT), request()

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


@contextmanager
def model_server(home: Path, latency_s: float) -> Iterator[str]:
    """The address of the offline model with a latency, for the time of the block."""
    ready = home / "model.json"
    command = [sys.executable, "-m", "deployments.offline_model", "--port", "0", "--latency", str(latency_s)]
    process = subprocess.Popen([*command, "--ready-file", str(ready)])
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise RuntimeError(f"the model server ended with code {process.returncode}")
            time.sleep(0.05)
        yield json.loads(ready.read_text())["url"]
    finally:
        process.terminate()
        process.wait(10)


def cpu_s(*beside: int) -> float:
    """Seconds of CPU so far: this process, all that it started, and those with the ids given, with all they started.

    What has ended is counted with the process that waited for it.
    """
    return sum(cpu_by_part(*beside).values())


def cpu_by_part(*beside: int) -> dict[str, float]:
    """The same by what takes it: `here`, `model`, `prefect server`, and `beside` for the ids given and the rest."""
    here = psutil.Process()
    family = {one.pid: one for root in (here, *map(psutil.Process, beside)) for one in _with_children(root)}
    parts = dict.fromkeys(PARTS, 0.0)
    for one in family.values():
        with suppress(psutil.NoSuchProcess):
            if ASKS not in one.cmdline():
                parts["here" if one == here else _part(one)] += _cpu_s(one)
    return parts


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _part(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "deployments.offline_model" in command:
        return "model"
    return "prefect server" if "deployments.settled_server" in command else "beside"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system
