"""How exact the cost throttle is: processes that share a limit, calls of 50 to 500 ms, and two of them killed.

Work never runs out until the last call is answered. What counts is what the model's server counts. The mean is that
of all the time in which work waited, from the moment when most were in flight, the cap, to the last answer, kills and
the starts of their successors included; beside it the mean where nobody was killed.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.counting_model import ANSWER, HEAD, Counted, counting_model

PROCESSES: Final = 4
SLOTS: Final = 64
CALLS: Final = 5_000
LASTING_S: Final = (0.05, 0.5)
KILLED_AT: Final = (0.35, 0.65)
"""After these parts of the calls one process is killed, and another started."""
MODEL: Final = "offline-extractive"
QUESTION: Final = b"POST /v1/messages HTTP/1.1\r\nhost: model\r\ncontent-length: 2\r\n\r\n{}"


def run(calls: int = CALLS, runs: int = 3) -> dict[str, Any]:
    """With kills and without: the most in flight in any run, medians of the cap's mean use and of calls a second."""
    played = [(play(calls, ()), play(calls, KILLED_AT)) for _ in range(runs)]
    undisturbed, killed = zip(*played, strict=True)
    return {"undisturbed": _summary(undisturbed), "two_killed": _summary(killed)}


def _summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    medians = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
    return medians | {"max_in_flight": max(one["max_in_flight"] for one in runs), "runs": list(runs)}


def play(
    calls: int, killed_at: tuple[float, ...], lasting_s: tuple[float, float] = LASTING_S
) -> dict[str, Any]:
    """One run in an installation of its own, with calls between the two times."""
    from deployments.services import prefect_server, stop_services
    from tasks.settings import Settings

    with tempfile.TemporaryDirectory() as folder, counting_model(*lasting_s) as model:
        settings = Settings(home=Path(folder))
        server = prefect_server(settings)
        environment = os.environ | {
            "PENSTOCK_HOME": folder,
            "PENSTOCK_OFFLINE_URL": model.url,
            "PENSTOCK_MODEL_REQUESTS_IN_FLIGHT": str(SLOTS),
            "PREFECT_API_URL": server.url,
        }
        try:
            _worked(model, calls, killed_at, environment)
        finally:
            stop_services(settings)
    # What was in flight when the last answer left is no work that waits.
    began = next(at for at, flying in model.moments if flying == model.most)
    done = _moment_of(model, calls)
    return {
        "processes": PROCESSES,
        "slots": SLOTS,
        "calls": calls,
        "kills": len(killed_at),
        "max_in_flight": model.most,
        "mean_use": round(model.mean(began, done) / SLOTS, 3),
        "calls_per_s": round(calls / (done - model.moments[0][0]), 1),
    }


def _worked(model: Counted, calls: int, killed_at: tuple[float, ...], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "benchmarks.throttle", "--worker"]
    workers = [subprocess.Popen(command, env=environment) for _ in range(PROCESSES)]
    kills = [part * calls for part in killed_at]
    try:
        while model.answered < calls:
            if kills and model.answered >= kills[0]:
                kills.pop(0)
                workers[len(kills)].kill()
                workers.append(subprocess.Popen(command, env=environment))
            time.sleep(0.01)
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait()


def _moment_of(model: Counted, calls: int) -> float:
    """When so many had been answered."""
    answered, before = 0, 0
    for at, flying in model.moments:
        answered += flying < before
        if answered == calls:
            return at
        before = flying
    raise RuntimeError(f"{answered} calls were answered, not {calls}")


async def worker() -> None:
    """Asks until it is killed, as many at once as the cap. The SDK alone would keep both cores busy: plain sockets."""
    from deployments.installed import ensure_installed
    from flows.throttle import throttled
    from tasks.model.throttle import Passenger
    from tasks.runtime import runtime
    from tasks.settings import load_settings

    settings = load_settings()
    await ensure_installed(settings)
    at = urlsplit(os.environ["PENSTOCK_OFFLINE_URL"])
    async with runtime(settings) as run, throttled(run):
        throttle = run.calls.client.throttle

        async def asking() -> None:
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
            while True:
                async with throttle.passed(Passenger(MODEL, "acme", 40)):
                    writer.write(QUESTION)
                    await reader.readexactly(len(HEAD + ANSWER))

        await asyncio.gather(*(asking() for _ in range(SLOTS)))


def main() -> None:
    """`python -m benchmarks.throttle [--calls N]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--worker", action="store_true")
    options = parser.parse_args()
    if options.worker:
        asyncio.run(worker())
    else:
        print(json.dumps(run(options.calls)))


if __name__ == "__main__":
    main()
