"""The command line as its user has it: real processes with a clean environment and a home of their own."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

PENSTOCK = Path(sys.executable).with_name("penstock")
# The command is measured and the servers that it starts are not: their code is not ours, and measured it is slow.
MEASURED = (
    "import os; os.environ.pop('COVERAGE_PROCESS_CONFIG', None); import sys; sys.argv[0] = 'penstock'; "
    "from gateway.cli import main; main()"
)
COMMAND = (sys.executable, "-c", MEASURED) if "COVERAGE_PROCESS_CONFIG" in os.environ else (PENSTOCK,)
HEAVY = frozenset({"run", "up", "demo"})
"""Commands that import Prefect and run flows: measured they take three times as long, which a few tests do."""
TIMEOUT_S = 300
FEW = {"PENSTOCK_SOLUTION_FORMS": '["action_plan"]', "PENSTOCK_AUDIENCES": '["admin"]'}
"""As many calls as it takes to go through every stage."""


@dataclass(frozen=True)
class Cli:
    """`penstock` in an environment of its own; `is_measured` says that coverage counts what is heavy, too."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    is_measured: bool = False

    def given(self, **environment) -> "Cli":
        """The same with other settings; None takes one away."""
        merged = self.environment | environment
        return replace(self, environment={name: value for name, value in merged.items() if value is not None})

    def measured(self) -> "Cli":
        """The same, and coverage counts also the commands that are heavy."""
        return replace(self, is_measured=True)

    def _process(self, *arguments) -> dict[str, object]:
        """The command and its environment: without coverage's variables where it is not to be measured."""
        if self.is_measured or HEAVY.isdisjoint(arguments[:1]):
            return {"args": [*COMMAND, *arguments], "env": self.everything}
        bare = {name: value for name, value in self.everything.items() if not name.startswith("COV")}
        return {"args": [PENSTOCK, *arguments], "env": bare}

    @property
    def everything(self) -> dict[str, str]:
        """What the process sees: nothing of the tester's own settings."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PATH", "HOME", "LANG", "COV"))
        }
        return kept | {"PENSTOCK_HOME": str(self.home), "COLUMNS": "80"} | self.environment

    def __call__(self, *arguments, stdin="", code=None) -> subprocess.CompletedProcess:
        """Run a command to its end; with `code`, that must be its exit code."""
        done = subprocess.run(
            **self._process(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments, stdin="", code=0):
        """What a command prints with --json, which is nothing else."""
        return json.loads(self(*arguments, "--json", stdin=stdin, code=code).stdout)

    def rows(self, query) -> list[tuple]:
        """What the home's own SQLite ledger answers: for waiting, as `status` is a second of work each time."""
        with closing(sqlite3.connect(f"file:{self.home / 'ledger.db'}?mode=ro", uri=True)) as ledger:
            return ledger.execute(query).fetchall()

    def by_state(self) -> dict[str, int]:
        """Batches by state, from the same."""
        return dict(self.rows("SELECT state, count(*) FROM batches GROUP BY 1"))

    def complaint(self, *arguments, code, stdin="") -> str:
        """The one line that a command which could do nothing says on standard error."""
        done = self(*arguments, stdin=stdin, code=code)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        said = [line for line in lines if line.startswith("penstock: ")]
        assert len(said) == 1, done.stderr
        assert lines[-1] == said[0]
        return said[0]

    def start(self, *arguments) -> subprocess.Popen:
        """Start a command that the test will stop."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(**self._process(*arguments), text=True, **pipes)


def _lines_of(tenant, count, *, text="The phone line was busy and nobody called back", **fields) -> str:
    """NDJSON with `count` events of a tenant."""
    given = {"source": "test", "type": "feedback.submitted", "priority": "HIGH", "tenant": tenant} | fields
    events = (
        given | {"id": f"{tenant}-{n}", "data": {"rating": 4, "comment": f"{text}, {n}."}}
        for n in range(count)
    )
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.fixture(scope="session")
def lines_of():
    """A maker of NDJSON: `lines_of(tenant, count, **fields)`."""
    return _lines_of


@pytest.fixture(scope="session")
def wait_until():
    """Wait for what another process does: `wait_until(condition, what)`."""
    return _wait_until


def _wait_until(condition, what):
    """Return once `condition()` holds; fail when it does not come to that."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting until {what}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def prefect_url(prefect_home) -> str:
    """The API of the session's Prefect server."""
    return json.loads((prefect_home / "services" / "prefect.json").read_text())["url"]


@pytest.fixture(scope="session")
def home_beside(tmp_path_factory, prefect_home):
    """Makes homes of their own in which the session's Prefect server is the one that Penstock started."""

    def made(name) -> Path:
        home = tmp_path_factory.mktemp(name)
        for shared in ("services", "prefect"):
            (home / shared).symlink_to(prefect_home / shared)
        return home

    return made


@pytest.fixture(scope="session")
def cli_at() -> type[Cli]:
    """Makes a `penstock` for a home, for modules that keep one."""
    return Cli


def free_port() -> int:
    """A port of the loopback address that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def bare(tmp_path) -> Cli:
    """`penstock` with a fresh home and no setting at all."""
    return Cli(tmp_path / "home")


@pytest.fixture
def cli(bare, prefect_url, offline) -> Cli:
    """`penstock` with a fresh home, the session's Prefect server and the test's offline model."""
    return bare.given(PREFECT_API_URL=prefect_url, PENSTOCK_OFFLINE_URL=offline.url, **FEW)


@pytest.fixture(scope="session")
def closed_port() -> int:
    """A port of the loopback address where nobody listens."""
    return free_port()
