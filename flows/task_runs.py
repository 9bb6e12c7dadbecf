"""A task run told in two events, for tasks that want nothing of Prefect's engine but to be seen.

Prefect's own engine makes of each run three events, sent one by one, and looks for caches, results, limits of tags and
hooks on the way. Many short runs pay for that more than for their work. What stands here leaves the same row in the
server's database, by events of the form that Prefect's clients send.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast
from uuid import UUID, uuid4

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType, TaskRun, TaskRunPolicy, TaskRunResult
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.loggers import task_run_logger
from prefect.states import exception_to_crashed_state, exception_to_failed_state
from prefect.tasks import Task
from prefect.types import DateTime
from prefect.utilities.annotations import quote

from flows.display import Display, Event
from flows.names import ROW_ONLY

SERVERS: Final = {
    *("id", "created", "updated", "flow_run_id", "state_id", "state_type", "state_name", "state"),
    *("estimated_start_time_delta", "estimated_run_time"),
}
"""What the server knows from elsewhere in the event, or makes out itself."""


def is_plain(task: Task[..., Any]) -> bool:
    """Whether a task asks for nothing that only Prefect's engine does."""
    hooks = (task.on_completion_hooks, task.on_failure_hooks, task.on_running_hooks)
    ends = (task.on_commit_hooks, task.on_rollback_hooks)
    asks = (
        task.retries,
        task.tags,
        task.timeout_seconds,
        task.persist_result,
        task.log_prints,
        *hooks,
        *ends,
    )
    return task.cache_policy == NO_CACHE and not any(asks) and isinstance(task.task_run_name, str)


async def run_plainly(
    task: Task[..., Any], task_run_id: UUID, parameters: Mapping[str, Any], shown_by: Display
) -> State[Any]:
    """Run it in the current flow run; the state it ends in, its value or exception attached.

    Raises:
        BaseException: what is no Exception, such as a cancellation, ends the run as Crashed and goes on.
    """
    given = {name: one.unquote() if isinstance(one, quote) else one for name, one in parameters.items()}
    run = _new_run(task, task_run_id, str(task.task_run_name).format(**given))
    enter = partial(_enter, run, shown_by=shown_by)
    enter(State(type=StateType.RUNNING, name="Running"))
    try:
        value = await task.fn(**given)
    except Exception as error:  # noqa: BLE001 - a task run's failure is a state
        task_run_logger(run, task).exception("Task run failed: %r", error)
        return enter(await exception_to_failed_state(error, message="Task run encountered an exception"))
    except BaseException as error:
        enter(await exception_to_crashed_state(error))
        raise
    if isinstance(value, State):
        if value.is_failed():
            task_run_logger(run, task).error("%s: %s", value.name, value.message)
        return enter(value)
    return enter(State(type=StateType.COMPLETED, name="Completed", data=value))


def _new_run(task: Task[..., Any], task_run_id: UUID, name: str) -> TaskRun:
    """A run beneath the task run that this code is in, if it is in one; not told yet."""
    context, parent = FlowRunContext.get(), TaskRunContext.get()
    flow_run = context.flow_run if context else None
    beneath = {"__parents__": [TaskRunResult(id=parent.task_run.id)]} if parent else {}
    state: State[Any] = State(type=StateType.PENDING, name="Pending")
    return TaskRun(
        id=task_run_id,
        name=name,
        flow_run_id=flow_run.id if flow_run else None,
        flow_run_run_count=flow_run.run_count if flow_run else 0,
        task_key=task.task_key,
        dynamic_key=str(uuid4()),
        task_version=task.version,
        task_inputs=beneath,
        empirical_policy=TaskRunPolicy(retries=0, retry_delay=0),
        expected_start_time=state.timestamp,
        state=state,
    )


def _enter(run: TaskRun, state: State[Any], *, shown_by: Display) -> State[Any]:
    """Bring a run into a state, and tell it."""
    before, run.state = run.state, state
    if state.is_running():
        run.start_time, run.run_count = cast(DateTime, state.timestamp), 1
    elif run.start_time is not None:
        run.end_time = cast(DateTime, state.timestamp)
        run.total_run_time = state.timestamp - run.start_time
    shown_by.tell(_event(run, before, state))
    return state


def _event(run: TaskRun, before: State[Any] | None, state: State[Any]) -> Event:
    """As Prefect's own engine has it (`emit_task_run_state_change_event`, 3.8), without what the flow run tells."""
    return {
        "id": str(state.id),
        "occurred": state.timestamp.isoformat(),
        "event": f"prefect.task-run.{state.name}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{run.id}",
            "prefect.resource.name": run.name,
            "prefect.run-count": str(run.run_count),
            "prefect.state-message": _message(state),
            "prefect.state-name": state.name or "",
            "prefect.state-timestamp": state.timestamp.isoformat(),
            "prefect.state-type": state.type.value,
            "prefect.orchestration": "client",
            ROW_ONLY: "true",
        },
        "related": [_flow_run(run)],
        "payload": {
            "intended": {"from": before.type.value if before else None, "to": state.type.value},
            "initial_state": _told(before) if before else None,
            "validated_state": {**_told(state), "data": None},
            "task_run": run.model_dump(mode="json", exclude_none=True, exclude=SERVERS),
        },
    }


def _told(state: State[Any]) -> dict[str, Any]:
    return {"type": state.type.value, "name": state.name, "message": _message(state), "state_details": {}}


def _message(state: State[Any]) -> str:
    """What a model or a sender wrote may hold halves of characters, which no JSON can."""
    return (state.message or "").encode(errors="replace").decode()


def _flow_run(run: TaskRun) -> dict[str, str]:
    """By this the server knows whose task run it is; the flow, its deployment and queue are known by the flow run."""
    return {
        "prefect.resource.id": f"prefect.flow-run.{run.flow_run_id}",
        "prefect.resource.role": "flow-run",
    }
