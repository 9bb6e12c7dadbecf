"""Prefect as its tutorial has it: `naive_flow` beside a stock server on SQLite, nothing set but where it is.

What holds it up is not the cap: now and then the server answers 503, Prefect's client asks again two seconds later,
and slots are asked for one after the other, so that all calls of the process wait for it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.replicas import free_port
from benchmarks.rivals.player import Names, Player
from benchmarks.work import IN_FLIGHT

PREFECT: Final = Path(sys.executable).with_name("prefect")
PATIENCE_S: Final = 180


@contextmanager
def ready(url: str, folder: Path) -> Iterator[Player]:
    """A server with the limit, and the flow, which must not be imported before it is known where the server is."""
    os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "offline"}
    with stock_server(folder):
        from benchmarks.rivals.naive_flow import LIMIT, process_batches

        limit = ("gcl", "create", LIMIT, "--limit", str(IN_FLIGHT))
        subprocess.run([PREFECT, *limit], check=True, stdout=subprocess.DEVNULL)

        async def play(names: Names) -> None:
            await process_batches(list(names))

        yield Player(play, api=os.environ["PREFECT_API_URL"])


@contextmanager
def stock_server(folder: Path) -> Iterator[None]:
    """`prefect server start` in a home of its own, and this process its client."""
    port = str(free_port())
    os.environ |= {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        # A benchmark tells nobody about its runs.
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [PREFECT, "server", "start", "--port", port], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _await_health(process, folder / "server.log")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _await_health(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{os.environ['PREFECT_API_URL']}/health", timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError(f"the Prefect server does not answer:\n{log.read_text()[-2000:]}")
