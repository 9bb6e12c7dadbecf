"""The worker type `warm`, on Prefect's base class: `prefect worker start --pool penstock --type warm`."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any
from uuid import UUID

import httpx
from anyio import TASK_STATUS_IGNORED, CancelScope
from anyio.abc import TaskStatus
from prefect import Flow
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flows import load_flow_from_entrypoint
from prefect.states import Failed
from prefect.workers.base import BaseWorker, BaseWorkerResult

from deployments.warm.bounds import Bounds, begin_anew, memory_mb
from deployments.warm.configuration import UnfitDeploymentError, WarmConfiguration, WarmVariables
from deployments.warm.ending import Ending
from deployments.warm.news import follow
from deployments.warm.orphans import crash_orphans
from tasks.processes import process_name
from tasks.settings import Settings

BY_SOMEBODY = "Cancelled on request. What was in work goes on with the next run."
LOOK_S = 2.0
"""How often a worker that is about to begin anew looks for runs that are cancelled."""
POLLED_WITHIN_S = 60.0
"""A worker that has not reached its server for so long is not ready."""


class WarmResult(BaseWorkerResult):
    """The end of a run here; its state says how it ended."""


class WarmWorker(BaseWorker[WarmConfiguration, WarmVariables, WarmResult]):
    """Runs flow runs inside its own process, with one runtime for all of them."""

    type = "warm"
    job_configuration = WarmConfiguration
    job_configuration_variables = WarmVariables
    _description = (
        "Runs Penstock's flows in one long-lived process that has everything imported and connected."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base class takes them
        from tasks.settings import load_settings  # noqa: PLC0415 - the server imports this module and needs none

        self.settings: Settings = load_settings()
        kwargs["limit"] = kwargs.get("limit") or self.settings.worker_flow_runs
        kwargs["name"] = kwargs.get("name") or f"warm {process_name()}"
        # Nothing is prepared ahead; a run that waits for its time would hold its deployment's slot meanwhile.
        kwargs["prefetch_seconds"] = 0
        self._keeps_lake = kwargs.pop("keeps_lake", False)
        super().__init__(*args, **kwargs)
        self._bounds = Bounds(self.settings.worker_runs, self.settings.worker_memory_mb)
        self.ending = Ending(self.settings.stop_s)
        self._polling = asyncio.Lock()
        self._answering = ExitStack()
        self._news: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """As every worker, until SIGINT or SIGTERM; a second one breaks off what is in work.

        By handlers of our own: Prefect's turn SIGTERM into a SIGINT, which shells let background processes ignore.
        """
        work = self._work = asyncio.current_task()
        assert work is not None  # noqa: S101 - a coroutine that runs is in a task
        handled = threading.current_thread() is threading.main_thread()
        for number in (signal.SIGINT, signal.SIGTERM) if handled else ():
            asyncio.get_running_loop().add_signal_handler(number, self.end)
        try:
            await super().start(run_once, with_healthcheck, printer)
        except asyncio.CancelledError:
            if not self.ending.asked.is_set():
                raise
            work.uncancel()
            printer(f"Worker {self.name!r} stopped.")

    def end(self) -> None:
        """Let what is in work come to its rest and end; said again, break it off. To be called on the worker's loop."""
        if self.ending.ask() and self._work is not None:
            patience_s = self.ending.patience_s
            self._logger.info("Stopping: what is in work has %g s; once more to break it off.", patience_s)
            self._work.cancel()

    async def setup(self) -> None:
        """Begin to host, then connect."""
        from deployments.warm.host import Host  # noqa: PLC0415
        from flows.cockpit import at_hand  # noqa: PLC0415

        self._host = Host(lambda: at_hand(self.settings, self.ending.asked, keeps_lake=self._keeps_lake))
        self._host.start()
        self._answering.enter_context(self._told_of_health())
        await super().setup()

    def _told_of_health(self) -> AbstractContextManager[None]:
        """Answers for whoever asks how this process is, where a port is set for it."""
        if self.settings.health_port is None:
            return nullcontext()
        from deployments.warm.health import Health, answering  # noqa: PLC0415

        health = Health(
            self._host, self.ending.asked.is_set, lambda: self.is_worker_still_polling(POLLED_WITHIN_S / 30)
        )
        return answering(self.settings.health_address, self.settings.health_port, health)

    async def sync_with_backend(self) -> None:
        """As every worker; and at the first time, tidy up after the dead and listen for news."""
        await super().sync_with_backend()
        await self._open_what_is_shared()
        if self._news is None and self._work_pool is not None:
            for orphan in await crash_orphans(self.client, self._work_pool_name):
                self._logger.warning("Flow run %r died with its process: marked as crashed.", orphan.name)
            self._news = asyncio.create_task(
                follow(self._work_pool.id, self.get_and_submit_flow_runs, self._cancel, self._logger)
            )

    async def _open_what_is_shared(self) -> None:
        """So that events are told and slots held ready before the first run; what is away now is tried again."""
        try:
            await self._host.ready()
        except Exception as error:  # noqa: BLE001 - whatever prevents it, the runs will say so too
            self._logger.warning("Not ready yet, runs would crash: %s", error)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Begin what is due and end what was cancelled; where this process is old, begin anew instead."""
        async with self._polling:
            await self._end_cancelled()
            if why := self._bounds.reached(self._host.hosted, memory_mb()):
                await self._renew(why)
                return []
            return await super().get_and_submit_flow_runs()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: WarmConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> WarmResult:
        """Host a run to its end. What prevents its beginning is raised, and the run crashes with that message."""
        path = configuration.flow_path()
        flow: Flow[..., Any] = await asyncio.to_thread(load_flow_from_entrypoint, path)
        if not flow.isasync or flow.isgenerator:
            raise UnfitDeploymentError(
                f"`{path}` is no `async def`: a warm worker runs all its flows on one loop"
            )
        await self._host.ready()
        (task_status or TASK_STATUS_IGNORED).started(process_name())
        try:
            await self._host.run(flow, flow_run)
        except Exception as error:  # noqa: BLE001 - the engine's own: what a flow raises is its run's state
            self.get_flow_run_logger(flow_run).error("The run could not be carried out.", exc_info=error)
            failed: State[Any] = Failed(
                message=f"The run could not be carried out: {type(error).__name__}: {error}"
            )
            await self.client.set_flow_run_state(flow_run.id, failed)
        return WarmResult(identifier=process_name(), status_code=0)

    async def teardown(self, *exc_info: object) -> None:
        """Let what is in work come to its rest, for as long as the settings allow; then disconnect."""
        with CancelScope(shield=True):
            self.ending.is_final = True
            await self.ending.rest(self._host, self._is_busy)
            await self._stop_listening()
            self._answering.close()
            await self._host.close()
        await super().teardown(*exc_info)

    def _is_busy(self) -> bool:
        return self.limiter.borrowed_tokens > 0

    async def _renew(self, why: str) -> None:
        """The same command in the same process; runs that fall due meanwhile wait at the server.

        Returns where the process was asked to end meanwhile.
        """
        from deployments.sent import all_sent  # noqa: PLC0415

        self._logger.info("This process starts anew: %s.", why)
        looking = asyncio.create_task(self._look_after_cancelled())
        try:
            await self.ending.rest(self._host, self._is_busy)
        finally:
            looking.cancel()
        if self.ending.is_final:
            return
        await self._host.close()
        await all_sent()
        begin_anew()

    async def _stop_listening(self) -> None:
        if self._news is not None:
            self._news.cancel()
            await asyncio.wait({self._news})

    async def _look_after_cancelled(self) -> None:
        """Every few seconds; a server that is away then is asked again."""
        while True:
            with suppress(httpx.HTTPError):
                await self._end_cancelled()
            await asyncio.sleep(LOOK_S)

    async def _end_cancelled(self) -> None:
        """End the runs here that were cancelled while nobody listened."""
        if active := self._host.active:
            asked = FlowRunFilter(
                id=FlowRunFilterId(any_=list(active)),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])),
            )
            for run in await self.client.read_flow_runs(flow_run_filter=asked):
                self._cancel(run.id)

    def _cancel(self, run: UUID) -> None:
        if self._host.end(run, BY_SOMEBODY):
            self._logger.info("Flow run %s is cancelled.", run)
