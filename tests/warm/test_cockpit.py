"""From an event to its deliverable through a deployed server and a warm worker, as an operator starts them."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL

from deployments.offline_model.server import serve_offline
from flows.names import USUAL_POOL
from tests.commands import FEW, Cli

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
TRIGGER = "Penstock: HIGH batches are ready"


@dataclass
class Cockpit:
    """A home whose server is deployed to, with a warm worker, and the commands of its operator."""

    cli: Cli
    run_async: object
    wait_until: object

    def sent(self, lines):
        """Events, taken in by a command of their own; returns when they were accepted."""
        self.cli.json("ingest", "-", stdin=lines)

    def is_done(self, batches):
        """True when so many batches are DONE."""
        return self.cli.by_state().get("DONE", 0) >= batches

    def is_at_work(self):
        """True while a lane is."""
        return any(not run.state.is_final() for run in self._lane_runs())

    def lanes(self):
        """The latest lanes' runs by their ids: the name of each, with who started it."""
        return {
            run.id: (run.name, run.created_by.type if run.created_by else None) for run in self._lane_runs()
        }

    def _lane_runs(self):
        # The server has other tests' runs too, more than it gives at once.
        lanes = FlowRunFilter(name=FlowRunFilterName(like_=" lane"))

        async def read():
            async with get_client() as client:
                return await client.read_flow_runs(
                    flow_run_filter=lanes, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=100
                )

        return self.run_async(read())


@pytest.fixture(scope="module")
def cockpit(tmp_path_factory, prefect_slots, run_async, wait_until):
    """One for all stories of this module: `deploy`, a worker, and HIGH batches of one event."""
    assert prefect_slots
    home = tmp_path_factory.mktemp("cockpit")
    with serve_offline() as model:
        cli = Cli(home, FEW).given(
            PREFECT_API_URL=PREFECT_API_URL.value(),
            PENSTOCK_OFFLINE_URL=model.url,
            PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD="1",
        )
        cli("deploy", "--yes", code=0)
        log = (home / "worker.log").open("wb")
        worker = subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", USUAL_POOL, "--type", "warm"],
            env=cli.everything | {"PREFECT_WORKER_QUERY_SECONDS": "5", "PREFECT_HOME": str(home / "prefect")},
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
        try:
            wait_until(lambda: "started!" in (home / "worker.log").read_text(), "the worker is up")
            yield Cockpit(cli, run_async, wait_until)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(90)
            log.close()


async def _set_trigger(enabled):
    async with get_client() as client:
        (trigger,) = await client.read_automations_by_name(TRIGGER)
        await (client.resume_automation if enabled else client.pause_automation)(trigger.id)


def test_an_event_starts_the_lane_of_its_level_and_is_worked_on(cockpit, lines_of):
    """Nobody started anything: the batch told that it was ready, the automation started the run, the run claimed."""
    cockpit.sent(lines_of("acme", 1))
    cockpit.wait_until(lambda: cockpit.is_done(1), "the batch is done")
    assert ("HIGH lane", "AUTOMATION") in cockpit.lanes().values()
    delivered = cockpit.cli.home / "deliverables" / "acme"
    cockpit.wait_until(lambda: list(delivered.rglob("*.md")), "its deliverables have left")


def test_a_burst_of_many_tenants_starts_one_lane_not_one_each(cockpit, lines_of):
    """Of twenty batches one asks; the lane that comes, or is still at work, takes the others."""
    before, done = set(cockpit.lanes()), cockpit.cli.by_state()["DONE"]
    cockpit.sent("".join(lines_of(f"burst-{number}", 1) for number in range(20)))
    cockpit.wait_until(lambda: cockpit.is_done(done + 20), "all batches are done")
    # One that takes longer than ten seconds to come is asked for again.
    started = [name for run, (name, _) in cockpit.lanes().items() if run not in before]
    assert started.count("HIGH lane") <= 4


def test_without_the_automation_the_sweep_starts_what_the_event_did_not(cockpit, lines_of, run_async):
    """Events are for speed, the ledger is the truth: nobody starts anything but the schedule."""
    done = cockpit.cli.by_state()["DONE"]
    run_async(_set_trigger(enabled=False))
    try:
        cockpit.wait_until(lambda: not cockpit.is_at_work(), "earlier lanes have left")
        cockpit.sent(lines_of("late", 1))
        cockpit.wait_until(lambda: cockpit.is_done(done + 1), "the sweep has seen to it")
    finally:
        run_async(_set_trigger(enabled=True))
    assert {("HIGH lane", "DEPLOYMENT"), ("HIGH lane", None)} & set(cockpit.lanes().values())


def test_events_that_come_twice_or_late_change_nothing(cockpit):
    """Forty times ready, twice each, and late: runs find nothing, and no batch is processed twice."""
    from prefect.events import emit_event  # noqa: PLC0415

    cockpit.wait_until(lambda: not cockpit.is_at_work(), "earlier lanes have left")
    before, lanes = cockpit.cli.json("status"), cockpit.lanes().keys()
    late = datetime.now(UTC) - timedelta(hours=1)
    for number in range(40):
        # Half of them an hour late, and all of them twice.
        told = {"occurred": late} if number % 2 else {}
        for _ in range(2):
            emit_event(
                event="penstock.batch.ready",
                resource={
                    "prefect.resource.id": f"penstock.batch.again-{number}",
                    "penstock.pool": USUAL_POOL,
                    "penstock.level": "HIGH",
                    "penstock.lane": "wanted",
                },
                id=uuid5(NAMESPACE_URL, f"again-{number}"),
                **told,
            )
    cockpit.wait_until(lambda: cockpit.lanes().keys() - lanes, "a run was started for nothing")
    after = cockpit.cli.json("status")
    assert before["batches"] == after["batches"]
    assert before["deliverables"] == after["deliverables"]
