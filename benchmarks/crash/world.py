"""Playing a seed: an installation of its own, workers that die and are started again, until all is done."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.crash.plan import Kill, Plan
from benchmarks.crash.worker import PRELOAD, work
from deployments.offline_model.server import serve_offline
from deployments.offline_model.stats import RecordedRequest
from ledger.engine import Ledger, close_ledger, open_ledger
from ledger.sql import reading

WORKERS: Final = 2
PATIENCE_S: Final = 600
LOOK_S: Final = 0.1
IN_FLIGHT: Final = 4
"""Model calls a worker makes at once: so many may be on the wire when it dies."""
REQUEST_TIMEOUT_S: Final = 5
DURING_INTAKE: Final = "during intake"
OUTAGE_S: Final = 1.0

OPEN_BATCHES: Final = "SELECT count(*) FROM batches WHERE state NOT IN ('DONE', 'FAILED', 'DEAD')"
OPEN_MESSAGES: Final = "SELECT count(*) FROM outbox WHERE state = 'PENDING'"
# The bits of `ledger.pools`: an event has to be in a batch of its tenant, and of its user where it has one.
OPEN_EVENTS: Final = (
    "SELECT count(*) FROM pool WHERE batched & 7 = 0 OR (needed & 56 > 0 AND batched & 56 = 0)"
)
CHILDREN: Final = threading.Lock()
"""A start looks after all children of the process, and an exit code can be read once: one thread at a time."""
MODEL_AWAY: Final = 3
"""The exit code of a worker that would not start while the model was away; it is started again."""


class Life(NamedTuple):
    """A worker's, from its start to its kill; `calls` is the file in which it names each call before its record."""

    process: BaseProcess
    kill: Kill | None
    since: float
    calls: Path


class NotFinishedError(Exception):
    """The work did not come to its end in time; the message says where it stood."""


@dataclass
class Model:
    """An offline model on one port, which may be away for a while; remembers what it was asked in all its lives."""

    plan: Plan
    asked: list[RecordedRequest] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve, with the plan's faults and its outage, for the time of the block."""
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        over = threading.Event()
        serving = threading.Thread(target=self._live, args=(port, over))
        serving.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            over.set()
            serving.join()

    def _live(self, port: int, over: threading.Event) -> None:
        """Until its outage, some time after it was first asked; refuse connections for a second; then to the end."""
        for lasts in (self.plan.outage_after_s, None):
            with serve_offline(self.plan.plays, port) as handle:
                while lasts is not None and not handle.requests and not over.wait(LOOK_S):
                    pass
                over.wait(lasts)
            # What was on its way when the server was told to stop has been answered only now.
            self.asked += handle.requests
            self.faults.update(handle.stats["played"])
            if lasts is None or over.is_set():
                return
            self.faults["refused connections, for a second"] += 1
            over.wait(OUTAGE_S)


@dataclass
class World:
    """One seed's installation and its workers."""

    plan: Plan
    home: Path
    database_url: str
    prefect_url: str
    model: Model
    kills: list[str] = field(default_factory=list)
    killed: list[Path] = field(default_factory=list)
    """The calls of each worker that was killed."""

    def environment(self, model_url: str) -> dict[str, str]:
        """What `penstock` sees: everything close together, so that a seed takes seconds."""
        ages = {
            f"PENSTOCK_BATCHING__{scope}__{level}__MAX_AGE": "0.2"
            for scope in ("TENANT", "USER")
            for level in ("HIGH", "MEDIUM", "LOW")
        }
        return ages | {
            "PENSTOCK_HOME": str(self.home),
            "PENSTOCK_DATABASE_URL": self.database_url,
            "PENSTOCK_OFFLINE_URL": model_url,
            "PREFECT_API_URL": self.prefect_url,
            "PENSTOCK_LEASE_S": "6",
            "PENSTOCK_HOLD_S": "1",
            "PENSTOCK_DELIVERY_HOLD_S": "3",
            "PENSTOCK_RETRY_DELAYS_S": "[0.05, 0.1, 0.2]",
            "PENSTOCK_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
            "PENSTOCK_BREAKER_COOL_DOWN_S": "0.5",
            # Where an outage opens the breaker just before a storm of refusals, every probe of the storm doubles it.
            "PENSTOCK_BREAKER_LONGEST_S": "4",
            "PENSTOCK_RETRY_WINDOW_S": "2",
            "PENSTOCK_PROCESS_REQUESTS_IN_FLIGHT": str(IN_FLIGHT),
            "PENSTOCK_SOLUTION_FORMS": '["action_plan"]',
            "PENSTOCK_AUDIENCES": '["admin"]',
        }


def play(plan: Plan, home: Path, database_url: str, prefect_url: str) -> World:
    """Play a seed to its end and return its world, for the audit. NotFinishedError if it has none."""
    home.mkdir(parents=True, exist_ok=True)
    world = World(plan, home, database_url, prefect_url, Model(plan))
    with world.model.serving() as url:
        environment = world.environment(url)
        ledger = open_ledger(database_url)
        try:
            _ingest(world, environment)
            _work_off(world, environment, ledger)
        finally:
            close_ledger(ledger)
    return world


def _ingest(world: World, environment: dict[str, str]) -> None:
    """Take the events in; a first attempt is killed somewhere, the second brings them all again."""
    source = world.home / "events.ndjson"
    source.write_text("\n".join(world.plan.lines) + "\n")
    command = [str(Path(sys.executable).with_name("penstock")), "ingest", str(source), "--json"]
    variables = {**os.environ, **environment}
    if world.plan.seed % 3 == 0:
        first = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(world.plan.kills[0].after_s)
        first.kill()
        if first.wait() == -signal.SIGKILL:
            world.kills.append(DURING_INTAKE)
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    (world.home / "intake.json").write_text(done.stdout)


def _work_off(world: World, environment: dict[str, str], ledger: Ledger) -> None:
    """Workers, one life after another, until nothing is left to do."""
    lives = [*world.plan.kills]
    running: list[Life] = []
    lived = 0
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not is_done(ledger):
            if time.monotonic() > deadline:
                raise NotFinishedError(f"seed {world.plan.seed}: {standing(ledger)}; logs in {world.home}")
            running = [one for one in running if _lives_on(one, world)]
            while len(running) < WORKERS:
                lived += 1
                calls = world.home / f"calls-{lived}.txt"
                running.append(_begun(world, environment, lives.pop(0) if lives else None, calls))
            time.sleep(LOOK_S)
    finally:
        for life in running:
            life.process.terminate()
        for life in running:
            life.process.join(20)
            if life.process.is_alive():
                life.process.kill()
                life.process.join()


def _begun(world: World, environment: dict[str, str], kill: Kill | None, calls: Path) -> Life:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    process = context.Process(target=work, args=(environment, kill, world.home / "worker.log", calls))
    with CHILDREN:
        process.start()
    return Life(process, kill, time.monotonic(), calls)


def _lives_on(life: Life, world: World) -> bool:
    """False for a worker that has died, by itself or now by us."""
    process, kill, since, _ = life
    from_outside = kill is not None and kill.point == "any moment" and time.monotonic() - since > kill.after_s
    with CHILDREN:
        if process.is_alive() and from_outside:
            process.kill()
            process.join()
        if process.is_alive():
            return True
    if process.exitcode == -signal.SIGKILL and kill is not None:
        world.kills.append(kill.point)
        world.killed.append(life.calls)
    elif process.exitcode not in {0, MODEL_AWAY}:
        raise NotFinishedError(
            f"seed {world.plan.seed}: a worker ended with code {process.exitcode}; see {world.home}/worker.log"
        )
    return False


def is_done(ledger: Ledger) -> bool:
    """True when every event is in its batches, every batch at its end, every message out."""
    return sum(standing(ledger).values()) == 0


def standing(ledger: Ledger) -> dict[str, int]:
    """How much is left."""
    # In the order in which work moves: what leaves one of them meanwhile is found in the next.
    questions = {"events": OPEN_EVENTS, "batches": OPEN_BATCHES, "messages": OPEN_MESSAGES}
    with reading(ledger) as connection:
        return {name: connection.exec_driver_sql(query).scalar_one() for name, query in questions.items()}
