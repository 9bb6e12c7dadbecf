"""The warm worker as Prefect starts it: a real process, a real server, ordinary flow runs of deployments."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from deployments.warm.bounds import Bounds
from tests.warm import runs
from tests.worlds import Api

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
# A run that begins within a test can only have begun by the server's news.
RARELY = "60"


@dataclass
class Pool:
    """A work pool of the test's own, its worker's environment and what has been asked of it."""

    name: str
    home: Path
    api: Api
    run_async: object
    wait_until: object

    def start(self, **environment):
        """A worker, as an operator starts one."""
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PENSTOCK_HOME": str(self.home),
            "PENSTOCK_OFFLINE_URL": "http://127.0.0.1:9",
            "PREFECT_API_URL": PREFECT_API_URL.value(),
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": RARELY,
        }
        with (self.home / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [PREFECT, "worker", "start", "--pool", self.name, "--type", "warm"],
                env=given | environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    @contextmanager
    def worker(self, **environment):
        """A worker for the time of the block, ended as a supervisor ends one."""
        process = self.start(**environment)
        try:
            self.wait_until(lambda: "started!" in self.log, "the worker is up")
            yield process
        finally:
            process.terminate()
            process.wait(60)

    @property
    def log(self):
        """What the worker has said."""
        return (self.home / "worker.log").read_text()

    def run(self, entrypoint, job_variables=None, **parameters):
        """The id of a new flow run of a deployment."""

        async def create():
            async with get_client() as client:
                flow_id = await client.create_flow_from_name(entrypoint.rpartition(".")[2])
                deployment = await client.create_deployment(
                    flow_id=flow_id,
                    name=f"{self.name}-{entrypoint.rpartition('.')[2]}".replace(":", "-"),
                    work_pool_name=self.name,
                    entrypoint=entrypoint,
                    job_variables=job_variables or {},
                )
                return await client.create_flow_run_from_deployment(deployment, parameters=parameters)

        return self.run_async(create()).id

    def ended(self, run):
        """The run at its end."""
        return self.until(run, lambda found: found.state.is_final())

    def until(self, run, is_there):
        """The run once it is as wanted."""
        return self.api.until(lambda client: client.read_flow_run(run), is_there)

    def states(self, run):
        """The types of the states it has been in."""

        async def read():
            async with get_client() as client:
                return await client.read_flow_run_states(run)

        return [state.type for state in self.run_async(read())]

    def cancel(self, run):
        """What the button in the UI does."""

        async def ask():
            async with get_client() as client:
                await client.set_flow_run_state(run, Cancelling())

        self.run_async(ask())


@pytest.fixture(scope="module")
def pool_of(prefect_home, run_async, wait_until):
    """Makes work pools of the type `warm`, on this home's server."""
    assert prefect_home.exists()

    def make(home):
        name = f"warm-{home.name}"

        async def create():
            async with get_client() as client:
                await client.create_work_pool(WorkPoolCreate(name=name, type="warm"))

        run_async(create())
        return Pool(name, home, Api(), run_async, wait_until)

    return make


@pytest.fixture
def pool(pool_of, tmp_path):
    """A pool of the test's own."""
    return pool_of(tmp_path)


@pytest.fixture(scope="module")
def shared_pool(pool_of, tmp_path_factory):
    """A pool with a worker, for tests that ask little of it."""
    made = pool_of(tmp_path_factory.mktemp("shared"))
    with made.worker():
        yield made


def path_of(flow):
    """Its dotted path."""
    return f"{runs.__name__}.{flow.fn.__name__}"


def test_runs_share_one_process_and_one_runtime_and_begin_when_the_server_says_so(pool):
    """Three runs, long before the worker would have asked, in one process with everything open."""
    with pool.worker() as process:
        told = [pool.ended(pool.run(path_of(runs.tell))) for _ in range(3)]
    assert {run.state.type for run in told} == {StateType.COMPLETED}
    assert len({run.state.message for run in told}) == 1
    assert told[0].state.message.startswith(f"{process.pid} ")
    assert told[0].infrastructure_pid.endswith(f":{process.pid}")
    assert process.returncode == 0


def test_a_failure_is_the_runs_own(pool):
    """It has failed with its error, and the next one runs."""
    with pool.worker():
        failed = pool.ended(pool.run(path_of(runs.fail)))
        assert pool.ended(pool.run(path_of(runs.tell))).state.is_completed()
    assert failed.state.is_failed()
    assert "no good" in failed.state.message


def test_a_run_whose_parameters_do_not_fit_has_failed_and_says_why(shared_pool):
    """It waits for nothing: nobody else would ever end it."""
    ended = shared_pool.ended(shared_pool.run(path_of(runs.tell), parth="x"))
    assert ended.state.is_failed()
    assert "parth" in ended.state.message


def test_a_run_that_is_cancelled_in_the_ui_breaks_off_its_work_and_is_cancelled(pool, tmp_path):
    """It never crashed; whoever has automations on crashes is not called for it."""
    sign = tmp_path / "sign"
    with pool.worker():
        run = pool.run(path_of(runs.last), path=str(sign))
        pool.wait_until(sign.exists, "the run has begun")
        pool.cancel(run)
        ended = pool.ended(run)
    assert ended.state.is_cancelled()
    assert "Cancelled on request" in ended.state.message
    assert sign.read_text() == "broken off"
    assert StateType.CRASHED not in pool.states(run)


def test_runs_of_a_worker_that_was_killed_are_marked_as_crashed_by_the_next(pool, tmp_path):
    """Nobody else can tell; the next worker on that host does, and works."""
    sign = tmp_path / "sign"
    first = pool.start()
    run = pool.run(path_of(runs.last), path=str(sign))
    pool.wait_until(sign.exists, "the run has begun")
    first.kill()
    first.wait()
    with pool.worker():
        ended = pool.ended(run)
        assert pool.ended(pool.run(path_of(runs.tell))).state.is_completed()
    assert ended.state.is_crashed()
    assert f":{first.pid}, died" in ended.state.message


def test_a_worker_that_has_served_its_runs_begins_anew_and_drops_none(pool):
    """The same process by its id, everything imported anew; every run has completed."""
    asked = [pool.run(path_of(runs.tell)) for _ in range(5)]
    with pool.worker(
        PENSTOCK_WORKER_RUNS="2", PENSTOCK_WORKER_FLOW_RUNS="1", PREFECT_WORKER_QUERY_SECONDS="1"
    ):
        told = [pool.ended(run) for run in asked]
    assert {run.state.type for run in told} == {StateType.COMPLETED}
    lives = [run.state.message.split()[:2] for run in told]
    assert len({process for process, _ in lives}) == 1
    assert len({life for _, life in lives}) >= 2


def test_a_worker_that_has_grown_beyond_its_bound_begins_anew(pool):
    """The run that made it grow has completed, and the next finds a process as small as at first."""
    with pool.worker(PENSTOCK_WORKER_MEMORY_MB="700", PREFECT_WORKER_QUERY_SECONDS="1"):
        big = pool.ended(pool.run(path_of(runs.grow), megabytes=800))
        pool.wait_until(lambda: "starts anew: it uses" in pool.log, "the worker begins anew")
        small = pool.ended(pool.run(path_of(runs.tell)))
    (process, life), (next_process, next_life) = (run.state.message.split()[:2] for run in (big, small))
    assert process == next_process
    assert life != next_life


def test_a_worker_that_waits_to_begin_anew_hears_that_it_is_to_end_and_that_runs_are_cancelled(
    pool, tmp_path
):
    """What is in work then has the time that a stopping worker leaves, and nothing begins anew."""
    first, second = (pool.run(path_of(runs.last), path=str(tmp_path / name)) for name in ("first", "second"))
    with pool.worker(
        PENSTOCK_WORKER_RUNS="2", PENSTOCK_STOP_S="1", PREFECT_WORKER_QUERY_SECONDS="1"
    ) as process:
        pool.wait_until(lambda: "This process starts anew" in pool.log, "the worker is old")
        pool.cancel(first)
        assert pool.ended(first).state.is_cancelled()
        assert process.poll() is None
        process.terminate()
        process.wait(60)
    assert pool.ended(second).state.is_cancelled()
    assert (tmp_path / "second").read_text() == "broken off"
    assert pool.log.count("started!") == 1


@given(st.integers(0, 5), st.floats(0, 2_000))
def test_a_process_is_old_by_its_runs_or_its_memory_and_never_before_its_first_run(hosted, memory):
    """One that is too big from its beginning would begin anew for ever and serve nobody."""
    reached = Bounds(runs=3, memory_mb=1_000).reached(hosted, memory)
    assert (reached is not None) == (hosted >= 3 or (hosted > 0 and memory > 1_000))


@pytest.mark.parametrize(
    ("entrypoint", "job_variables", "why"),
    [
        ("tests/warm/runs.py:tell", {}, "no dotted path"),
        (path_of(runs.tell), {"env": {"A": "b"}}, "has an environment of its own"),
        (path_of(runs.tell), {"command": "true"}, "has a command of its own"),
        (path_of(runs.in_a_thread), {}, "is no `async def`"),
    ],
)
def test_what_asks_for_a_process_of_its_own_is_refused_with_the_way_out(
    shared_pool, entrypoint, job_variables, why
):
    """It crashes at once with the reason, and waits for nothing."""
    ended = shared_pool.ended(shared_pool.run(entrypoint, job_variables))
    assert ended.state.is_crashed()
    assert why in ended.state.message


def test_a_worker_that_is_terminated_lets_its_runs_come_to_rest(pool, tmp_path):
    """What can end does; what cannot is cancelled when the time is over; the process ends with 0."""
    soon, never = tmp_path / "soon", tmp_path / "never"
    with pool.worker(PENSTOCK_STOP_S="2") as process:
        resting = pool.run(path_of(runs.last_until_stop), path=str(soon))
        lasting = pool.run(path_of(runs.last), path=str(never))
        pool.wait_until(lambda: soon.exists() and never.exists(), "both have begun")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert pool.ended(resting).state.is_completed()
    ended = pool.ended(lasting)
    assert ended.state.is_cancelled()
    assert "The worker was stopped" in ended.state.message
    assert never.read_text() == "broken off"
