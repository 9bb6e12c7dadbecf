"""Running the offline model: in a thread for tests, in the foreground for the command line. On loopback by default."""

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn

from deployments.offline_model.app import OfflineModel, Options
from deployments.offline_model.plays import Rule, Script
from deployments.offline_model.stats import RecordedRequest

HOST = "127.0.0.1"
BACKLOG = 1024
GRACE_S = 1


def bound_socket(port: int, address: str = HOST) -> socket.socket:
    """A listening socket, 0 for any free port; OSError when the port is taken.

    Connections made from now on wait in its backlog until the server takes them.
    """
    # asyncio turns Nagle's algorithm off only where the protocol is named; left on, each answer costs 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def address_of(listening: socket.socket) -> str:
    """The base URL of a bound socket."""
    address, port = listening.getsockname()
    return f"http://{address}:{port}"


def http_server(app: OfflineModel) -> uvicorn.Server:
    """An HTTP server for the application; it logs errors only, a play that hangs up among them."""
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


class OfflineHandle:
    """A running offline model: its address, what it was sent, what it counted."""

    def __init__(self, url: str, app: OfflineModel) -> None:
        self.url = url
        self._app = app

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests with a valid key, as they came over the wire, in order of arrival."""
        return list(self._app.stats.requests)

    @property
    def counts(self) -> dict[str, int]:
        """Messages by schema title (`none` without a schema)."""
        return dict(self._app.stats.by_schema)

    @property
    def stats(self) -> dict[str, Any]:
        """What `GET /offline/stats` says."""
        return self._app.stats.summary()

    def play(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Other plays from the next request on; ValidationError for a rule that is none."""
        self._app.script.replace([Rule.model_validate(rule) for rule in rules])


@contextmanager
def serve_offline(
    plays: Iterable[Mapping[str, Any]] = (),
    port: int = 0,
    *,
    key: str | None = None,
    latency: float = 0.0,
    any_model: bool = False,
) -> Iterator[OfflineHandle]:
    """An offline model in a thread of this process, for as long as the block runs.

    `plays` are rules as `POST /offline/plays` takes them, `latency` is seconds added to every message.
    """
    rules = [Rule.model_validate(rule) for rule in plays]
    app = OfflineModel(Script(rules), Options(key=key, latency=latency, any_model=any_model, record=True))
    server = http_server(app)
    with bound_socket(port) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), name="offline-model", daemon=True)
        thread.start()
        try:
            yield OfflineHandle(address_of(listening), app)
        finally:
            server.should_exit = True
            thread.join()
