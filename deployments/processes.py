"""Processes that are started once a home, noted, found again and stopped.

Each has a note of its address and process id under `$PENSTOCK_HOME/services`, and a log of its own.
"""

import json
import os
import signal
import socket
import subprocess
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

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1
START_ATTEMPTS = 3

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


def answers(name: str, url: str) -> bool:
    """True when the service at `url` says that it is well."""
    path = "/offline/stats" if name == "offline-model" else "/health"
    try:
        # Where no TLS is spoken, loading the certificate store would be most of the cost of asking.
        return httpx.get(f"{url}{path}", timeout=2.0, verify=not url.startswith("http://")).is_success
    except httpx.HTTPError:
        return False


def running(home: Path, name: str) -> Service | None:
    """The service if it is there and answers."""
    service = _alive(home, name)
    return service if service and answers(name, service.url) else None


def _alive(home: Path, name: str) -> Service | None:
    """The service that the note names if it is still that process, whether it answers or is too busy to."""
    try:
        service = Service(**json.loads(_note(home, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return service if _listens(service) else None


def started_once(home: Path, name: str, **how: Any) -> Service:  # noqa: ANN401 - as `_started`
    """The service, started by one process of the home; others that want it at the same moment find it then."""
    with _lock(home, name):
        return _answering(home, name) or _started(home, name, **how)


def _lock(home: Path, name: str) -> FileLock:
    """Whoever starts or stops the service holds it."""
    path = _note(home, name).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def _answering(home: Path, name: str) -> Service | None:
    """The service that runs, once it answers: beside one that is only busy, a second would be nobody's."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while service := _alive(home, name):
        if answers(name, service.url):
            return service
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{name} runs as process {service.pid} and has not answered for {START_TIMEOUT_S:.0f} s; "
                "`penstock down` stops it"
            )
        time.sleep(POLL_S)
    return None


def stopped(home: Path, name: str) -> Service | None:
    """The service that was stopped; None where none ran."""
    if not _note(home, name).parent.exists():
        return None
    with _lock(home, name):
        if service := _alive(home, name):
            _stop(service)
            _note(home, name).unlink(missing_ok=True)
        return service


def _started(
    home: Path,
    name: str,
    *,
    url: Callable[[int], str],
    favourite: int,
    command: Callable[[int], list[str]],
    environment: Callable[[str], Mapping[str, str]],
) -> Service:
    """The service, started; another port is tried where somebody takes the first one just before the service does."""
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, START_ATTEMPTS + 1):
        port = _free_port(favourite)
        process = _launched(command(port), environment(url(port)), log)
        service = Service(name, url(port), process.pid)
        try:
            _await_health(service, process, log)
        except BaseException as error:
            # Ctrl-C among them: without a note nobody would find the process again.
            process.kill()
            process.wait()
            if isinstance(error, ServiceError) and attempt < START_ATTEMPTS and not _is_free(port):
                continue
            raise
        _note(home, name).parent.mkdir(parents=True, exist_ok=True)
        _note(home, name).write_text(json.dumps(asdict(service)))
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


def _note(home: Path, name: str) -> Path:
    return home / "services" / f"{name}.json"


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
