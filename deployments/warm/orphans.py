"""Flow runs whose process has died: nobody else would ever say that they have crashed."""

from typing import Final

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from tasks.processes import has_died, process_name

UNDER_WAY: Final = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
PAGE: Final = 200


def is_orphan(infrastructure: str | None) -> bool:
    """True where that process has died, or has our own id and ours has begun nothing yet."""
    process = infrastructure or ""
    return process == process_name() or has_died(process)


async def crash_orphans(client: PrefectClient, pool: str) -> list[FlowRun]:
    """Mark the runs of dead processes of this host as Crashed. To be called before anything runs here."""
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY))),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        limit=PAGE,
    )
    orphans = [run for run in found if is_orphan(run.infrastructure_pid)]
    for run in orphans:
        message = f"Its process, {run.infrastructure_pid}, died. What was in work goes on when its lease has run out."
        try:
            await client.set_flow_run_state(run.id, Crashed(message=message), force=True)
        except ObjectNotFound:
            continue  # Deleted meanwhile.
    return orphans
