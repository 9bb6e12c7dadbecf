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
    command = [PREFECT, "worker", "start", "--pool", "penstock", "--type", "process", "--work-queue", "high"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        yield environment
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


def test_a_batch_is_worked_off_by_a_run_that_is_a_process(cli, process_worker, lines_of, wait_until):
    """A lane started there takes the batch to its end."""
    cli.json("ingest", "-", stdin=lines_of("acme", 1))
    subprocess.run(
        [PREFECT, "deployment", "run", "process ready batches/high"], env=process_worker, check=True
    )
    wait_until(lambda: cli.by_state() == {"DONE": 1}, "the batch is done")
