"""The services that a run needs on this machine: a Prefect server and, without a provider, the offline model.

Each is a process of its own under `$PENSTOCK_HOME/services`, with a note of its address and process id, started
when nothing answers there and left running, so that the UI stays open after a run. `penstock down` stops them.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from filelock import FileLock

from contracts.errors import OperatorError
from deployments.server_settings import client_environment, server_environment
from tasks.settings import Settings

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1
START_ATTEMPTS = 3
FAVOURITE_PORT = 4200

_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process started and may yet stop."""


class ServiceError(OperatorError):
    """A service did not start; the message says where its log is."""


@dataclass(frozen=True)
class Service:
    """A running service: its address and process. `pid` is None where the operator runs it elsewhere."""

    name: str
    url: str
    pid: int | None


def prefect_server(settings: Settings) -> Service:
    """The Prefect API: the one `PREFECT_API_URL` names, else ours, started if it does not answer."""
    if settings.prefect_api_url:
        return Service("prefect", settings.prefect_api_url, None)
    return _running(settings, "prefect") or _started_once(
        settings,
        "prefect",
        url=lambda port: f"http://127.0.0.1:{port}/api",
        favourite=FAVOURITE_PORT,
        command=lambda port: [
            sys.executable,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        environment=lambda url: server_environment(settings.home, url),
    )


def offline_model(settings: Settings) -> Service | None:
    """The offline model server, or None where a provider is configured."""
    if not settings.is_offline:
        return None
    return _running(settings, "offline-model") or _started_once(
        settings,
        "offline-model",
        url=lambda port: f"http://127.0.0.1:{port}",
        favourite=0,
        command=lambda port: [sys.executable, "-m", "deployments.offline_model", "--port", str(port)],
        environment=lambda _: {},
    )


def use_prefect(settings: Settings, service: Service) -> None:
    """Point this process's Prefect client at `service`. Must come before Prefect is imported."""
    os.environ.update(client_environment(settings.home, service.url))


def running_services(settings: Settings) -> tuple[Service, ...]:
    """The services of ours that answer."""
    found = (_running(settings, name) for name in ("prefect", "offline-model"))
    return tuple(service for service in found if service is not None)


def stop_services(settings: Settings) -> tuple[Service, ...]:
    """Stop the services that this home's notes name, if they are still the processes that were started."""
    stopped = running_services(settings)
    for service in stopped:
        _stop(service)
        _note(settings, service.name).unlink(missing_ok=True)
    return stopped


def ui_url(service: Service) -> str:
    """The Prefect UI beside an API address."""
    return service.url.removesuffix("/").removesuffix("/api")


def answers(name: str, url: str) -> bool:
    """True when the service at `url` says that it is well."""
    path = "/offline/stats" if name == "offline-model" else "/health"
    try:
        # Where no TLS is spoken, loading the certificate store would be most of the cost of asking.
        return httpx.get(f"{url}{path}", timeout=2.0, verify=not url.startswith("http://")).is_success
    except httpx.HTTPError:
        return False


def _note(settings: Settings, name: str) -> Path:
    return settings.home / "services" / f"{name}.json"


def _running(settings: Settings, name: str) -> Service | None:
    try:
        service = Service(**json.loads(_note(settings, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return service if _listens(service) and answers(name, service.url) else None


def _listens(service: Service) -> bool:
    """True when the process, or one it started, listens at the address: process ids and ports are used again."""
    port = urlsplit(service.url).port
    try:
        process = psutil.Process(service.pid)
        family = [process, *process.children(recursive=True)]
        sockets = [each for one in family for each in one.net_connections("tcp")]
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets)


def _started_once(settings: Settings, name: str, **how: Any) -> Service:  # noqa: ANN401 - as `_started`
    """The service, started by one process of the home; others that want it at the same moment find it then."""
    lock = _note(settings, name).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        return _running(settings, name) or _started(settings, name, **how)


def _started(
    settings: Settings,
    name: str,
    *,
    url: Callable[[int], str],
    favourite: int,
    command: Callable[[int], list[str]],
    environment: Callable[[str], Mapping[str, str]],
) -> Service:
    """The service, started; another port is tried where somebody takes the first one just before the service does."""
    log = settings.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        port = _free_port(favourite)
        process = _launched(command(port), environment(url(port)), log)
        service = Service(name, url(port), process.pid)
        try:
            _await_health(service, process, log)
        except (
            BaseException
        ) as error:  # Ctrl-C among them: without a note nobody would find the process again
            process.kill()
            process.wait()
            if isinstance(error, ServiceError) and attempt < START_ATTEMPTS and not _is_free(port):
                continue
            raise
        _note(settings, name).parent.mkdir(parents=True, exist_ok=True)
        _note(settings, name).write_text(json.dumps(asdict(service)))
        return service
    raise AssertionError("the last attempt returns or raises")


def _launched(command: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    _children[process.pid] = process
    return process


def _await_health(service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (_listens(service) and answers(service.name, service.url)):
        if process.poll() is not None:
            raise ServiceError(f"{service.name} ended with code {process.returncode} at its start; see {log}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{service.name} did not answer within {START_TIMEOUT_S:.0f} s; see {log}")
        time.sleep(POLL_S)


def _stop(service: Service) -> None:
    if service.pid is None:
        return
    try:
        process = psutil.Process(service.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()
    finally:
        if child := _children.pop(service.pid, None):
            child.wait()


def _free_port(favourite: int) -> int:
    """`favourite` if nobody listens there, else any free port of the loopback address."""
    for candidate in (favourite, 0):
        with suppress(OSError), closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", candidate))
            port: int = probe.getsockname()[1]
            return port
    raise ServiceError("no free port on 127.0.0.1")


def _is_free(port: int) -> bool:
    return _free_port(port) == port
