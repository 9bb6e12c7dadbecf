"""Liveness and readiness of a warm worker over HTTP, as Kubernetes, ECS and compose ask for them.

`/livez` fails where a new process would help: the loop on which runs work does not answer. `/readyz` fails where work
would not get on, whoever does it: the ledger or Prefect's server is away, or the worker is stopping. Served from a
thread of its own, so that it answers while the worker cannot.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from deployments.warm.host import Host
from ledger.due import count_ready
from ledger.errors import LedgerFaultError
from tasks.runtime import current_runtime
from tasks.setting_fields import SettingsError

Faults = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Health:
    """What is looked at when somebody asks."""

    host: Host
    is_stopping: Callable[[], bool]
    is_polling: Callable[[], bool]
    patience_s: float = 10.0
    """How long the loop of the runs may take to answer: a large batch's parsing is no death."""

    def not_alive(self) -> Iterator[str]:
        """Why a new process is needed; nothing where none is."""
        if not self.host.answers(self.patience_s):
            yield f"the loop of the runs has not answered for {self.patience_s:g} s"

    def not_ready(self) -> Iterator[str]:
        """What keeps work from getting on; nothing where it can."""
        if self.is_stopping():
            yield "the worker is stopping"
        if not self.is_polling():
            yield "the Prefect server has not answered for a while"
        yield from self._not_open()

    def _not_open(self) -> Iterator[str]:
        inside = self.host.inside
        if inside is None:
            yield "what runs share is not open yet"
            return
        try:
            inside.run(lambda: count_ready(current_runtime().ledger))
        except LedgerFaultError as error:
            yield f"the ledger: {error}"


@contextmanager
def answering(address: str, port: int, health: Health) -> Iterator[None]:
    """Answer on this address for the time of the block; SettingsError where it cannot be had."""
    try:
        listening = socket.create_server((address, port))
    except OSError as error:
        raise SettingsError(
            f"PENSTOCK_HEALTH_PORT: cannot listen on {address}:{port} ({error.strerror}); choose another"
        ) from error
    routes = [Route("/livez", _answer(health.not_alive)), Route("/readyz", _answer(health.not_ready))]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), lifespan="off", log_level="error", access_log=False)
    )
    serving = threading.Thread(target=server.run, args=([listening],), name="health", daemon=True)
    serving.start()
    try:
        yield
    finally:
        server.should_exit = True
        serving.join()


def _answer(faults: Faults) -> Callable[[Request], JSONResponse]:
    def answer(_: Request) -> JSONResponse:
        found = list(faults())
        return JSONResponse({"ok": not found, "because": found}, 503 if found else 200)

    return answer
