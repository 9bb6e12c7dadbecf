"""An installation to run flows in: Prefect's own server, a real ledger, an offline model, a clock of ours."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.batches import Batch, BatchState
from deployments.offline_model.server import OfflineHandle, serve_offline
from ledger.batches import batch_history, read_batch
from ledger.engine import Ledger, close_ledger, open_ledger
from tasks.runtime import runtime
from tasks.settings import Settings

SLOTS = 8
PATIENCE_S = 200


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that speaks with Prefect."""
    return asyncio.run(coroutine)


@dataclass
class World:
    """One home: its settings, its ledger, the offline model it asks and the clock it goes by."""

    settings: Settings
    ledger: Ledger
    offline: OfflineHandle
    clock: Any

    def run(self, *flows: Callable[[], Awaitable[Any]]) -> Any:
        """Run flows one after the other in one runtime; what the last one returns."""

        async def within() -> Any:
            result = None
            async with runtime(self.settings, clock=self.clock):
                for one in flows:
                    result = await one()
            return result

        return _run(within())

    def batch(self, batch_id: str) -> Batch:
        """The batch as it stands."""
        found = read_batch(self.ledger, batch_id)
        assert found is not None
        return found

    def states(self, batch_id: str) -> list[BatchState]:
        """The states the batch has come into, in order."""
        return [move.to_state for move in batch_history(self.ledger, batch_id)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the ledger's database answers."""
        with self.ledger.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def deliverables(self) -> list[Path]:
        """The files that were published, markdown only."""
        return sorted(self.settings.deliverables.rglob("*.md"))


@contextmanager
def world_in(home: Path, url: str, clock: Any, **settings: Any) -> Iterator[World]:
    """A world with this home and ledger. Small batches of work: one solution, one audience, no retries."""
    given: dict[str, Any] = {
        "database_url": url,
        "retry_delays_s": (),
        "model_requests_in_flight": SLOTS,
        "solution_forms": ("action_plan",),
        "audiences": ("admin",),
    }
    with serve_offline() as offline:
        chosen = Settings(home=home, offline_url=offline.url, **{**given, **settings})
        ledger = open_ledger(url)
        try:
            yield World(chosen, ledger, offline, clock)
        finally:
            close_ledger(ledger)


async def until(has_come: Callable[[], object]) -> None:
    """Waits for what comes in another thread: a request, a row, an event. Fails where it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not has_come():
        assert time.monotonic() < deadline, "gave up waiting"
        await asyncio.sleep(0.002)


@pytest.fixture(scope="session")
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine that speaks with Prefect."""
    return _run


@pytest.fixture(scope="session")
def prefect_slots(prefect_home) -> int:
    """How many model requests Prefect allows in flight; the limit is made as `penstock run` makes it."""
    from deployments.installed import ensure_installed  # noqa: PLC0415

    _run(ensure_installed(Settings(home=prefect_home, model_requests_in_flight=SLOTS)))
    return SLOTS


@pytest.fixture(scope="session")
def world_of() -> Callable[..., Any]:
    """`world_in`, for modules that keep one world for many tests."""
    return world_in


on_both = pytest.mark.parametrize("world_url", ["sqlite", "postgresql"], indirect=True)
"""For what is guaranteed on both databases."""


@pytest.fixture
def world_url(request) -> str:
    """Where the ledger of a test's world is: in SQLite, but for what `on_both` asks for."""
    is_postgres = getattr(request, "param", "sqlite") == "postgresql"
    return str(request.getfixturevalue("copied_postgres" if is_postgres else "sqlite_url"))


@pytest.fixture
def make_world(prefect_slots, world_url, tmp_path, clock) -> Iterator[Callable[..., World]]:
    """Makes the test's world, with settings of its own."""
    with ExitStack() as stack:

        def make(url: str = world_url, **settings: Any) -> World:
            chosen = {"model_requests_in_flight": prefect_slots, **settings}
            return stack.enter_context(world_in(tmp_path / "home", url, clock, **chosen))

        yield make


@pytest.fixture
def world(make_world) -> World:
    """A fresh world."""
    return make_world()


@dataclass
class Api:
    """Prefect's API, asked until it has recorded what a test looks for: runs arrive there a moment later."""

    patience_s: float = PATIENCE_S

    def until(self, ask: Callable[[Any], Awaitable[Any]], is_there: Callable[[Any], bool]) -> Any:
        """What `ask` brings once it fits, or at the end of our patience."""
        from prefect.client.orchestration import get_client  # noqa: PLC0415

        async def asking() -> Any:
            deadline = time.monotonic() + self.patience_s
            async with get_client() as client:
                while True:
                    found = await ask(client)
                    if is_there(found) or time.monotonic() > deadline:
                        return found
                    await asyncio.sleep(0.2)

        return _run(asking())

    def task_runs(self, flow_run_id: Any, count: int) -> list[Any]:
        """The ended task runs of a flow run, once there are that many."""
        return self.until(self._ended(flow_run_id), lambda found: len(found) >= count)

    def task_run(self, flow_run_id: Any, name: str) -> Any:
        """The one task run of that name in a flow run, once it has ended."""
        found = self.until(self._ended(flow_run_id), lambda runs: any(run.name == name for run in runs))
        (run,) = [run for run in found if run.name == name]
        return run

    def _ended(self, flow_run_id: Any) -> Callable[[Any], Awaitable[list[Any]]]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId  # noqa: PLC0415

        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))

        async def ask(client: Any) -> list[Any]:
            found = await client.read_task_runs(flow_run_filter=of_run, limit=200)
            return [run for run in found if run.state is not None and run.state.is_final()]

        return ask

    def flow_run(self, flow_run_id: Any) -> Any:
        """A flow run as the UI shows it."""
        return self.until(lambda client: client.read_flow_run(flow_run_id), lambda _: True)

    def artifact(self, key: str, flow_run_id: Any = None) -> Any:
        """The latest artifact of that key, in that flow run if it is given; a table's as rows."""
        from prefect.client.schemas import filters  # noqa: PLC0415

        in_run = filters.ArtifactFilterFlowRunId(any_=[flow_run_id]) if flow_run_id else None
        wanted = filters.ArtifactFilter(key=filters.ArtifactFilterKey(any_=[key]), flow_run_id=in_run)
        found = self.until(lambda client: client.read_artifacts(artifact_filter=wanted), bool)
        latest = max(found, key=lambda one: one.created)
        return json.loads(latest.data) if latest.type == "table" else latest.data


@pytest.fixture
def api() -> Api:
    """Prefect's API."""
    return Api()
