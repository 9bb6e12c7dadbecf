"""Retention: how long Prefect's server keeps finished runs, with their task runs, logs and artifacts.

Events go by the server's own setting (`PREFECT_SERVER_EVENTS_RETENTION_PERIOD`, two days in
`deployments.server_settings`): its API removes none. The ledger keeps everything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from prefect import flow, get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from pydantic import Field

from flows.names import TAG
from ledger.news import forget_news
from tasks.runtime import Runtime, runtime

CHUNK: Final = 20
"""Runs removed between two looks at the clock and at whether the process is to end."""
PAGE: Final = 200
FLOWS: Final = (
    "export dead letters",
    "form batches",
    "ingest files",
    "process batch",
    "process ready batches",
    "prune runs",
    "publish deliverables",
    "purge dead letters",
    "refresh lake",
    "release what waits",
    "replay dead letters",
    "sweep",
    "take in an event",
    "take in attachments",
    "take in queues",
    "trend analysis",
)
"""Penstock's own, which are tagged besides: a server may have others' runs, and others may have a `sweep`."""

Days = Annotated[float, Field(ge=0.05, le=3_650)]
Count = Annotated[int, Field(ge=100, le=10_000_000)]


@dataclass(frozen=True)
class Pruned:
    """What was removed."""

    runs: int
    artifacts: int


@flow(name="prune runs", flow_run_name="prune runs", persist_result=False)
async def prune_runs(keep_days: Days = 7.0, keep_runs: Count = 20_000) -> Pruned:
    """Remove finished runs that are too old or too many, oldest first, while work goes on.

    Args:
        keep_days: How long a run is kept after its end.
        keep_runs: How many finished runs are kept at most.
    """
    async with runtime() as run, get_client() as client:
        runs = artifacts = 0
        while not run.stop.is_set():
            chunk = await _next(client, run.clock() - timedelta(days=keep_days), keep_runs)
            if not chunk:
                break
            artifacts += await _remove_artifacts(client, chunk)
            runs += await _remove_runs(client, chunk)
        await _forget_news(run, run.clock() - timedelta(days=keep_days))
        get_run_logger().info("%d runs and %d artifacts removed", runs, artifacts)
        return Pruned(runs, artifacts)


async def _forget_news(run: Runtime, before: datetime) -> None:
    """What listeners at the gateway were told, and nobody comes back for."""
    while not run.stop.is_set():
        if await run.in_ledger(forget_news, before) == 0:
            return


async def _next(client: PrefectClient, before: datetime, keep_runs: int) -> list[FlowRun]:
    """The oldest finished runs that are to go, a chunk of them."""
    old = await _oldest(client, _finished(before), CHUNK)
    if old:
        return old
    surplus = await client.count_flow_runs(flow_filter=_OURS, flow_run_filter=_finished()) - keep_runs
    return await _oldest(client, _finished(), min(surplus, CHUNK)) if surplus > 0 else []


async def _oldest(client: PrefectClient, which: FlowRunFilter, limit: int) -> list[FlowRun]:
    return await client.read_flow_runs(
        flow_filter=_OURS, flow_run_filter=which, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=limit
    )


_OURS: Final = FlowFilter(name=FlowFilterName(any_=list(FLOWS)))


def _finished(before: datetime | None = None) -> FlowRunFilter:
    """Tagged runs that have ended, before then."""
    return FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
        end_time=None if before is None else FlowRunFilterEndTime(before_=before),
    )


async def _remove_artifacts(client: PrefectClient, runs: list[FlowRun]) -> int:
    """The runs' artifacts, which the server would keep without them."""
    which = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id for run in runs]))
    removed = 0
    while found := await client.read_artifacts(artifact_filter=which, limit=PAGE):
        for artifact in found:
            try:
                await client.delete_artifact(artifact.id)
            except ObjectNotFound:
                continue  # Somebody else removes the same.
            removed += 1
    return removed


async def _remove_runs(client: PrefectClient, runs: list[FlowRun]) -> int:
    """The runs with their task runs and logs."""
    removed = 0
    for run in runs:
        try:
            await client.delete_flow_run(run.id)
        except ObjectNotFound:
            continue
        removed += 1
    return removed
