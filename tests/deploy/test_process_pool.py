"""The deployments on a pool of Prefect's own process workers: unchanged, and slower to start."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import FEW

PREFECT = Path(sys.executable).with_name("prefect")
AT_ONCE = {"PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD": "1"}


@pytest.fixture
def cli(cli_at, tmp_path, with_prefect, offline):
    """A home with a server of its own, whose pool is of processes."""
    made = cli_at(with_prefect(tmp_path / "home"), FEW | AT_ONCE | {"PENSTOCK_POOL_TYPE": "process"})
    yield made.given(PENSTOCK_OFFLINE_URL=offline.url)
    made("down")


@pytest.fixture
def process_worker(cli, tmp_path):
    """Deploys, and starts a worker as Prefect has it; gives what `prefect` needs to reach the server."""
    cli.json("deploy", "--yes")
    server = json.loads((cli.home / "services" / "prefect.json").read_text())
    environment = cli.everything | {"PREFECT_API_URL": server["url"]}
    command = [PREFECT, "worker", "start", "--pool", "penstock", "--type", "process"]
    command += ["--work-queue", "high", "--work-queue", "medium"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        yield environment
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


def test_an_event_that_one_process_takes_in_starts_the_lane_that_is_another(
    cli, process_worker, lines_of, wait_until, tmp_path
):
    """Intake tells of its batch before its process ends, the automation starts a lane, the lane ends the batch."""
    assert cli.json("status")["batches"]["by_state"] == {}
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of("acme", 1))
    parameters = json.dumps({"paths": [str(file)]})
    command = [PREFECT, "deployment", "run", "ingest files/ingest", "--params", parameters]
    subprocess.run(command, env=process_worker, check=True)
    wait_until(lambda: cli.by_state() == {"DONE": 1}, "the batch is done")
