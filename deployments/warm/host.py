"""The host of the flow runs: one event loop in a thread of its own, with one runtime for all of them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import Context, copy_context
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.states import Cancelled

T = TypeVar("T")
Opened = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens what the runs share: in Penstock, its runtime."""


class HostedRun:
    """A flow run in this process, which can be asked to end."""

    def __init__(self, flow: Flow[..., Any], flow_run: FlowRun) -> None:
        self.flow_run = flow_run
        self._flow = flow.with_options()
        # A flow that returns a state ends in it; one that is cancelled from without would have crashed.
        self._work = flow.fn

        @wraps(flow.fn)
        async def work(*args: object, **kwargs: object) -> object:
            return await self._until_asked(*args, **kwargs)

        self._flow.fn = work
        self._asked = asyncio.Event()
        self._why = ""

    async def run(self) -> None:
        """To its end, whatever that is; its state is Prefect's to record."""
        try:
            run = run_flow(self._flow, flow_run=self.flow_run, return_type="state")
            assert isinstance(run, Coroutine)  # noqa: S101 - flows that are none are refused before
            await run
        except (Abort, Pause):
            return  # The server has decided otherwise, and has written down what.

    def end(self, why: str) -> None:
        """Cancel the work and end as Cancelled."""
        self._why = self._why or why
        self._asked.set()

    async def _until_asked(self, *args: object, **kwargs: object) -> object:
        work = asyncio.ensure_future(self._work(*args, **kwargs))
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            return await self._ended(work)
        finally:
            asked.cancel()
            work.cancel()

    async def _ended(self, work: asyncio.Future[Any]) -> State[Any]:
        work.cancel()
        await asyncio.wait({work})
        return Cancelled(message=self._why)


class Host:
    """Runs flow runs until it is closed. Its methods are called from other threads than its own."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="warm-runs", daemon=True)
        self._runs: dict[UUID, HostedRun] = {}
        self._opening = asyncio.Lock()
        self._shared: _Shared | None = None
        self.hosted = 0
        """How many runs have begun here."""

    def start(self) -> None:
        """Begin to host."""
        self._thread.start()

    @property
    def active(self) -> tuple[UUID, ...]:
        """The runs that are under way."""
        return tuple(self._runs)

    @property
    def inside(self) -> Context | None:
        """A context in which what runs share is at hand, or None while it is not open."""
        return None if self._shared is None else self._shared.context.copy()

    def answers(self, within_s: float) -> bool:
        """Whether the loop of the runs gets round to a question in so many seconds. Not to be asked on that loop."""
        asked = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        try:
            asked.result(within_s)
        except TimeoutError:
            return False
        return True

    async def ready(self) -> None:
        """Open what the runs share, where it is not open yet; what prevents it is raised here."""
        await self._there(self._open())

    async def run(self, flow: Flow[..., Any], flow_run: FlowRun) -> None:
        """To its end, whatever that is."""
        await self._there(self._host(flow, flow_run))

    def end(self, run: UUID, why: str) -> bool:
        """Cancel a run; False where it is none of ours."""
        hosted = self._runs.get(run)
        if hosted is not None:
            self._loop.call_soon_threadsafe(hosted.end, why)
        return hosted is not None

    async def close(self) -> None:
        """Close what is shared and end the thread; every run must have ended."""
        if self._shared is not None:
            await self._there(self._shared.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _open(self) -> Context:
        async with self._opening:
            if self._shared is None:
                shared = _Shared(self._opened)
                await shared.open()
                self._shared = shared
            return self._shared.context

    async def _host(self, flow: Flow[..., Any], flow_run: FlowRun) -> None:
        context = await self._open()
        hosted = self._runs[flow_run.id] = HostedRun(flow, flow_run)
        self.hosted += 1
        try:
            await asyncio.create_task(hosted.run(), context=context.copy())
        finally:
            del self._runs[flow_run.id]


class _Shared:
    """What is open for all runs, kept open by a task of its own: a context variable belongs to its task."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._over = asyncio.Event()

    async def open(self) -> None:
        """Open it; what prevents that is raised here."""
        self._is_open = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep())
        self.context: Context = await self._is_open

    async def close(self) -> None:
        """Close it, and wait until it is closed."""
        self._over.set()
        await self._keeping

    async def _keep(self) -> None:
        try:
            async with self._opened():
                self._is_open.set_result(copy_context())
                await self._over.wait()
        except Exception as error:
            if self._is_open.done():
                raise
            self._is_open.set_exception(error)
