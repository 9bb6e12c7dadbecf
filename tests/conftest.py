"""What all tests share: ledgers, batches in them, a Prefect server, offline models, and no way to a real model."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest
from filelock import FileLock

# Nothing in the tests may reach a provider or an operator's own installation. First of all: what is imported
# below reads the environment.
for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "PENSTOCK_", "PREFECT_"))]:
    del os.environ[name]

from contracts.batches import BatchPlan, BatchWork, Scope, batch_id  # noqa: E402
from contracts.events import Event, Kind, Priority  # noqa: E402
from ledger.batches import create_batches  # noqa: E402
from ledger.claims import claim  # noqa: E402
from ledger.engine import Ledger, close_ledger, open_ledger  # noqa: E402
from ledger.intake import PreparedEvent, prepare_event, record_intake  # noqa: E402
from ledger.pools import newest_event  # noqa: E402

# How long an example takes is the machine's affair.
hypothesis.settings.register_profile("penstock", deadline=None)
hypothesis.settings.load_profile("penstock")

pytest_plugins = ("tests.commands", "tests.worlds")

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def prefect_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded Prefect server's database as its first start leaves it: two thirds of that start are migrations.

    Made once for all processes of a test run, whose temporary folders have one parent.
    """
    from deployments.prefect_data import embedded_database  # noqa: PLC0415

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    home = shared / "prefect-template"
    with FileLock(shared / "prefect-template.lock"):
        if not home.exists():
            made = tmp_path_factory.mktemp("prefect-template")
            _migrate(made)
            shutil.copytree(made, home)
    return embedded_database(home)


def _migrate(home: Path) -> None:
    from deployments.prefect_data import embedded_database  # noqa: PLC0415
    from deployments.server_settings import server_environment  # noqa: PLC0415

    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
        env=environment | server_environment(home, "http://127.0.0.1:4200/api"),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with closing(sqlite3.connect(embedded_database(home))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="session")
def with_prefect(prefect_template: Path) -> Callable[[Path], Path]:
    """Makes a home whose own Prefect server has been started before, and no more; gives the home back."""
    from deployments.prefect_data import embedded_database  # noqa: PLC0415

    def made(home: Path) -> Path:
        database = embedded_database(home)
        database.parent.mkdir(parents=True)
        shutil.copyfile(prefect_template, database)
        return home

    return made


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory, with_prefect) -> Iterator[Path]:
    """A home with a running Prefect server that this process's client uses."""
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_SSL_CERT_FILE,
        PREFECT_API_URL,
        PREFECT_HOME,
        temporary_settings,
    )

    from deployments.sent import all_sent  # noqa: PLC0415
    from deployments.server_settings import NOBODY  # noqa: PLC0415
    from deployments.services import prefect_server, stop_services  # noqa: PLC0415
    from tasks.settings import Settings  # noqa: PLC0415

    home = with_prefect(tmp_path_factory.mktemp("penstock"))
    settings = Settings(home=home)
    with pytest.MonkeyPatch.context() as environment:
        # Prefect's own code is not ours to measure, and measured it is slow.
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        server = prefect_server(settings)
    try:
        here = {
            PREFECT_API_URL: server.url,
            PREFECT_HOME: home / "prefect",
            PREFECT_API_SSL_CERT_FILE: str(NOBODY),
        }
        with temporary_settings(here):
            yield home
            asyncio.run(all_sent())
    finally:
        stop_services(settings)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server's own database; the server stops with the session."""
    from benchmarks.postgres import postgres as server  # noqa: PLC0415

    with server() as made:
        url = made.url
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _administer(url, f"ALTER SYSTEM SET {setting} = off")
        _administer(url, "SELECT pg_reload_conf()")
        yield url


def _administer(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    close_ledger(open_ledger(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    _administer(postgres, "CREATE DATABASE ledger_template")
    close_ledger(open_ledger(postgres.replace("/postgres?", "/ledger_template?")))
    return "ledger_template"


_names = (f"ledger_{number}" for number in count())


@pytest.fixture
def empty_postgres(postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    yield from _database(postgres, "template0")


def _database(postgres, template):
    name = next(_names)
    _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.replace("/postgres?", f"/{name}?")
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path) -> str:
    """The address of a database that was never a ledger, on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    return request.getfixturevalue("empty_postgres")


@pytest.fixture(scope="session")
def postgres_ledger(postgres, postgres_template):
    """Makes fresh migrated PostgreSQL ledgers, for modules that keep one for all their tests."""
    return contextmanager(lambda: _database(postgres, postgres_template))


@pytest.fixture
def copied_postgres(postgres, postgres_template) -> Iterator[str]:
    """The address of a fresh migrated PostgreSQL ledger."""
    yield from _database(postgres, postgres_template)


@pytest.fixture
def sqlite_url(sqlite_template, tmp_path) -> str:
    """The address of a fresh migrated SQLite ledger."""
    path = tmp_path / "ledger.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request) -> str:
    """The address of a fresh ledger, on each kind of database."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "copied_postgres")


@pytest.fixture
def ledger(ledger_url) -> Iterator[Ledger]:
    """A fresh open ledger, on each kind of database."""
    opened = open_ledger(ledger_url)
    yield opened
    close_ledger(opened)


@pytest.fixture
def sqlite_ledger(sqlite_url) -> Iterator[Ledger]:
    """A fresh open ledger on SQLite, where the kind of database does not matter."""
    opened = open_ledger(sqlite_url)
    yield opened
    close_ledger(opened)


class Clock:
    """A time that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def advance(self, **span: float) -> None:
        """Let that much time pass."""
        self.now += timedelta(**span)


@pytest.fixture(scope="session")
def clock_of() -> type[Clock]:
    """Makes clocks, for modules that keep one world for many tests."""
    return Clock


@pytest.fixture
def clock() -> Clock:
    """A clock at noon of 20 November 2026."""
    return Clock()


def _prepared(event, pipeline, line) -> PreparedEvent:
    return prepare_event(event, event.model_dump_json(), raw=b"{}", tokens=40, pipeline=pipeline, line=line)


@dataclass
class Fill:
    """Fills a ledger with events and batches, by the same ways as intake and the policy do."""

    numbers: Iterator[int]

    def events(self, texts, **fields) -> list[Event]:
        """An event for each text, each with a number of its own."""
        given = {"source": "test", "type": Kind.FEEDBACK, "time": NOW, "tenant": "acme"}
        given |= {"priority": Priority.HIGH, "feature": "app", "topic": "phones"} | fields
        return [Event(id=f"e-{next(self.numbers)}", data={"text": text}, **given) for text in texts]

    def take_in(self, ledger, events, pipeline="insights", now=NOW) -> tuple[int, ...]:
        """Record the events; their ledger numbers."""
        prepared = [_prepared(event, pipeline, line) for line, event in enumerate(events, start=1)]
        counts = record_intake(ledger, "test", prepared, [], now)
        assert counts.accepted == len(events)
        newest = newest_event(ledger)
        return tuple(range(newest - len(events) + 1, newest + 1))

    def ready(self, ledger, texts, *, pipeline="insights", now=NOW, **fields) -> str:
        """The id of a READY batch of one event for each text."""
        return self.batch_of(ledger, self.events(texts, **fields), pipeline=pipeline, now=now)

    def batch_of(self, ledger, events, *, pipeline="insights", now=NOW) -> str:
        """The id of a READY batch of these events."""
        plan = _plan(events, self.take_in(ledger, events, pipeline, now), pipeline)
        assert create_batches(ledger, [plan], now) == 1
        return plan.id

    def ready_each(self, ledger, texts, *, pipeline="insights", now=NOW, **fields) -> int:
        """How many READY batches there are now, one for each text."""
        events = self.events(texts, **fields)
        numbers = self.take_in(ledger, events, pipeline, now)
        plans = [_plan([one], (number,), pipeline) for one, number in zip(events, numbers, strict=True)]
        return create_batches(ledger, plans, now)

    def claimed(self, ledger, texts, *, lease="lease-1", **batch) -> BatchWork:
        """A batch RUNNING under the lease for ten minutes."""
        identity = self.ready(ledger, texts, **batch)
        work = claim(
            ledger, identity, lease_id=lease, owner="first", now=NOW, lease_for=timedelta(minutes=10)
        )
        assert work is not None
        return work


def _plan(events, numbers, pipeline) -> BatchPlan:
    """The batch of these events of one tenant, which have these numbers in the ledger."""
    first = events[0]
    scope = Scope.TENANT if first.user is None else Scope.USER
    return BatchPlan(
        id=batch_id(scope, first.priority, [event.id.encode() for event in events]),
        scope=scope,
        tenant=first.tenant,
        user=first.user,
        level=first.priority,
        pipeline=pipeline,
        events=numbers,
        tokens=40 * len(events),
    )


@pytest.fixture(scope="session")
def fill() -> Fill:
    """Fills a ledger with events and batches."""
    return Fill(count(1))


@pytest.fixture
def offline():
    """A fresh offline model on loopback; `.requests` is what came over the wire, `.play(rules)` its faults."""
    from deployments.offline_model.server import serve_offline  # noqa: PLC0415

    with serve_offline() as handle:
        yield handle
