"""A Prefect task runner that runs mapped async tasks on the flow's own event loop.

Prefect's thread pool gives every async task a thread and a loop of its own, so nothing that belongs to a loop, such
as warm connections to the model, can be shared. Here `task.map(...)` starts each task run on the loop of the flow.
Futures are awaited with `settled`, never with the blocking `result()`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar, cast
from uuid import UUID, uuid4

from prefect.client.schemas.objects import RunInput, State
from prefect.futures import PrefectFuture, PrefectTaskRunFuture
from prefect.task_engine import run_task_async
from prefect.task_runners import TaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from flows.display import display
from flows.task_runs import is_plain, run_plainly

T = TypeVar("T")


def whole(value: T) -> T:
    """`value` as a task parameter that Prefect hands over without searching it for futures."""
    return cast(T, quote(value))


class EventLoopFuture(PrefectTaskRunFuture[Any]):
    """A task run under way on this loop; its end is a Prefect state."""

    def __init__(self, task_run_id: UUID, running: asyncio.Task[State[Any]]) -> None:
        super().__init__(task_run_id)
        self.running = running

    def wait(self, timeout: float | None = None) -> None:  # noqa: ARG002 - as the base class has it
        """Not possible on the loop the task needs; RuntimeError. Use `settled`."""
        raise RuntimeError(
            f"task run {self.task_run_id} shares this event loop: await settled([future]) instead"
        )

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:  # noqa: ANN401, ARG002 - as the base class has it
        """Not possible on the loop the task needs; RuntimeError. Use `settled`."""
        self.wait(timeout)

    def add_done_callback(self, fn: Callable[[PrefectFuture[Any]], None]) -> None:
        """Call `fn` with this future when the task run has ended."""
        self.running.add_done_callback(lambda _: fn(self))


class EventLoopTaskRunner(TaskRunner[PrefectFuture[Any]]):
    """Starts async tasks on the running event loop, all at once: what bounds them is the model client."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def duplicate(self) -> Self:
        """Another runner of the same kind."""
        return type(self)()

    def submit(  # the base class overloads on sync and async; only async runs here
        self,
        task: Task[Any, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> EventLoopFuture:
        """Start one task run; ValueError for a task that is not async."""
        if not task.isasync:
            raise ValueError(f"task '{task.name}' is not async: it would block the event loop of its flow")
        task_run_id, shown_by = uuid4(), display()
        if shown_by is not None and is_plain(task) and not wait_for:
            run = run_plainly(task, task_run_id, parameters, shown_by)
        else:
            engine = run_task_async(
                task,
                task_run_id=task_run_id,
                parameters=parameters,
                wait_for=wait_for,
                return_type="state",
                dependencies=dependencies,
            )
            run = cast(Coroutine[Any, Any, State[Any]], engine)
        return EventLoopFuture(task_run_id, asyncio.get_running_loop().create_task(run))


async def settled(futures: Iterable[PrefectFuture[Any]]) -> list[Any]:
    """The results in order, an exception in the place of a failed task run's result. Waits for all of them."""
    running = [future.running for future in futures if isinstance(future, EventLoopFuture)]
    states = await asyncio.gather(*running)
    return [await state.aresult(raise_on_failure=False) for state in states]
