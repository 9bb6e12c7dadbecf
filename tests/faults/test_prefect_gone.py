"""Prefect's server is killed in mid-work and comes back: the worker waits, goes on, and pays for nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from deployments.server_settings import server_environment
from deployments.services import answers
from tests.commands import free_port

TENANTS = 4
GONE_S = 60
AT_ONCE = {
    "PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD": "1",
    "PENSTOCK_BATCHES_IN_FLIGHT": "2",
    "PENSTOCK_MODEL_REQUESTS_IN_FLIGHT": "2",
}
SLOWLY = [{"match": {}, "play": {"kind": "latency", "seconds": 0.2}}]

# A minute without the server, and a server that starts twice.
pytestmark = pytest.mark.timeout(1_200)


class Server:
    """A Prefect server that an operator runs: one port, one home, and any number of lives."""

    def __init__(self, home, wait_until):
        self.home, self.wait_until = home, wait_until
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"

    def start(self):
        """Begin to live, again perhaps, with the same database."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env=environment | server_environment(self.home, self.url),
                stdout=log,
                stderr=log,
            )
        self.wait_until(lambda: answers("prefect", self.url), "the server answers")

    def kill(self):
        """End without a chance to tidy up."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path, with_prefect, wait_until):
    """A Prefect server of the test's own."""
    made = Server(with_prefect(tmp_path / "prefect-server"), wait_until)
    made.start()
    yield made
    made.kill()


def test_up_outlasts_a_server_that_is_killed_and_comes_back(cli, server, lines_of, offline, wait_until):
    """Killed after the first verdicts, back in a minute: all batches DONE, each answer paid for once, exit 0."""
    offline.play(SLOWLY)
    cli = cli.given(PREFECT_API_URL=server.url, **AT_ONCE)
    cli.json("ingest", "-", stdin="".join(lines_of(f"tenant-{number}", 1) for number in range(TENANTS)))
    up = cli.start("up", "--json")
    try:
        wait_until(lambda: offline.counts.get("JudgeReply", 0) >= 2, "batches are in work")
        server.kill()
        # By the worker's own clock, and its clients': what they give up after, they give up here.
        time.sleep(GONE_S)
        assert up.poll() is None
        server.start()
        wait_until(lambda: cli.by_state() == {"DONE": TENANTS}, "all is done")
    finally:
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=120)
    assert up.returncode == 0, err
    assert "Traceback" not in err
    calls = cli.rows("SELECT batch_id, item, purpose, request_hash, state FROM model_calls")
    assert {state for *_, state in calls} == {"SUCCEEDED"}
    assert set(Counter(calls).values()) == {1}
    assert len(calls) == sum(offline.counts.values())
    assert cli.rows("SELECT DISTINCT state, attempts FROM outbox") == [("PUBLISHED", 1)]


def test_an_event_that_comes_while_the_server_is_gone_is_worked_on_when_it_is_back(
    cli, server, lines_of, offline, wait_until
):
    """Its batch cannot be told of, no automation starts a run: the ledger has it, and it waits for nobody's word."""
    assert offline.url
    cli = cli.given(PREFECT_API_URL=server.url, **AT_ONCE)
    up = cli.start("up", "--json")
    try:
        wait_until((cli.home / "ledger.db").exists, "there is a ledger")
        cli.json("ingest", "-", stdin=lines_of("before", 1))
        wait_until(lambda: cli.by_state() == {"DONE": 1}, "everything is up and at work")
        server.kill()
        cli.json("ingest", "-", stdin=lines_of("meanwhile", 1))
        wait_until(lambda: cli.by_state() in ({"DONE": 1, "READY": 1}, {"DONE": 2}), "the batch is ready")
        server.start()
        wait_until(lambda: cli.by_state() == {"DONE": 2}, "all is done")
    finally:
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=120)
    assert up.returncode == 0, err
    runs = Counter(cli.rows("SELECT batch_id, item, purpose FROM model_calls"))
    assert set(runs.values()) == {1}
