"""Artifacts: what the Prefect UI shows of a batch beside its runs: verdicts, deliverables, diagnosis, progress."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from prefect.artifacts import (
    Artifact,
    MarkdownArtifact,
    TableArtifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from contracts.batches import Batch, BatchState
from flows.display import display_client
from ledger.batch_reads import Origin, batch_origins
from ledger.deliveries import list_deliverables
from ledger.work import read_items
from tasks.diagnosis.markdown import to_markdown
from tasks.diagnosis.report import Diagnosis
from tasks.outcome import Outcome
from tasks.runtime import current_runtime

SHOWN = 100
_KEYS: Final = ("verdicts", "deliverables", "diagnosis")
_MARKUP: Final = re.compile(r"[`|\s]+")
PROGRESS_EVERY = timedelta(seconds=2)


async def show_outcome(outcome: Outcome) -> None:
    """Verdict table, deliverables or diagnosis of a batch whose run has ended."""
    shown = [show_verdicts(outcome.batch)]
    if outcome.state is BatchState.DONE:
        shown.append(show_deliverables(outcome.batch))
    if outcome.diagnosis is not None:
        shown.append(show_diagnosis(outcome.batch, outcome.diagnosis))
    await asyncio.gather(*shown)


async def show_verdicts(batch: Batch) -> None:
    """One row an item, one column a criterion."""
    items = await asyncio.to_thread(read_items, current_runtime().ledger, batch.id)
    rows = [{"item": item.item, "verdict": item.verdict or "not judged", **item.scores} for item in items]
    if rows:
        description = f"Judge's scores of {batch.label}"
        await _made(TableArtifact(key=f"verdicts-{batch.id}", table=rows, description=description))


async def show_deliverables(batch: Batch) -> None:
    """The deliverables of a batch, one under the other, as their readers get them, and what they were made from."""
    ledger = current_runtime().ledger
    made = await asyncio.to_thread(list_deliverables, ledger, batch.id, SHOWN)
    text = "\n\n---\n\n".join(f"*{one.kind}, {one.form.replace('_', ' ')}*\n\n{one.markdown}" for one in made)
    origins = await asyncio.to_thread(batch_origins, ledger, batch.id)
    page = f"{text}\n\n---\n\n{provenance(batch.id, origins)}"
    description = f"Deliverables of {batch.label}"
    await _made(MarkdownArtifact(key=f"deliverables-{batch.id}", markdown=page, description=description))


async def show_diagnosis(batch: Batch, diagnosis: Diagnosis) -> None:
    """Why a batch stopped, what to do, and which events it holds."""
    origins = await asyncio.to_thread(batch_origins, current_runtime().ledger, batch.id)
    text = f"# {batch.label}\n\n{to_markdown(diagnosis)}\n\n---\n\n{provenance(batch.id, origins)}"
    description = f"Why {batch.label} stopped"
    await _made(MarkdownArtifact(key=f"diagnosis-{batch.id}", markdown=text, description=description))


async def _made(artifact: Artifact) -> None:
    """Make an artifact by the display's own client: that of the run may be closed by then."""
    async with display_client() as client:
        await artifact.acreate(client)


def provenance(batch: str, origins: Sequence[Origin]) -> str:
    """Links, as markdown: from a batch to its verdicts, and from each of its events to the other batches it is in."""
    rows = [
        f"| {_plain(one.id)} | {_plain(one.source)} | {one.kind} | {one.accepted_at:%Y-%m-%d %H:%M} "
        f"| {', '.join(_link('deliverables', other) for other in one.also_in) or '-'} |"
        for one in origins[:SHOWN]
    ]
    rest = [f"\nand {len(origins) - SHOWN} more events"] if len(origins) > SHOWN else []
    return "\n".join(
        [
            f"## Where {batch} comes from\n",
            f"Judged in {_link('verdicts', batch)}. Made from {len(origins)} events:\n",
            "| event | source | kind | accepted, UTC | also in |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            *rest,
        ]
    )


def _link(kind: str, batch: str) -> str:
    return f"[{kind}-{batch}](/artifacts/key/{kind}-{batch})"


def _plain(text: str) -> str:
    """Senders choose these: in a table they are neither markup nor a column's end."""
    return f"`{_MARKUP.sub(' ', text)}`"


def artifact_keys(batch_ids: Iterable[str]) -> list[str]:
    """The keys of all that is shown of these batches."""
    return [f"{kind}-{batch}" for batch in batch_ids for kind in _KEYS]


async def remove_artifacts(keys: Sequence[str]) -> int:
    """Remove artifacts by key through Prefect's API; how many there were."""
    removed = 0
    async with get_client() as client:
        for start in range(0, len(keys), SHOWN):
            chosen = ArtifactFilter(key=ArtifactFilterKey(any_=list(keys[start : start + SHOWN])))
            while found := await client.read_artifacts(artifact_filter=chosen):
                for artifact in found:
                    await client.delete_artifact(artifact.id)
                removed += len(found)
    return removed


@dataclass
class ProgressBar:
    """A progress artifact that moves at most once in `PROGRESS_EVERY`, for each move is a request to the server."""

    artifact: UUID
    moved_at: datetime

    async def show(self, done: int, total: int, now: datetime) -> None:
        """Move the bar to `done` of `total` batches; the end is always shown."""
        if done < total and timedelta() <= now - self.moved_at < PROGRESS_EVERY:
            return
        self.moved_at = now
        await aupdate_progress_artifact(
            self.artifact, 100.0 * done / max(total, 1), description=f"{done} of {total} batches"
        )


async def start_progress(total: int, now: datetime) -> ProgressBar:
    """A progress bar in the UI, at zero."""
    artifact = await acreate_progress_artifact(0.0, key="lane-progress", description=f"0 of {total} batches")
    return ProgressBar(artifact, now)
