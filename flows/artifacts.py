"""Artifacts: what the Prefect UI shows of a batch beside its runs: verdicts, deliverables, diagnosis, progress."""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from prefect.artifacts import (
    Artifact,
    MarkdownArtifact,
    ProgressArtifact,
    TableArtifact,
    aupdate_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from contracts.batches import Batch, BatchState
from flows.display import display_client, draw
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
    look = partial(read_items, current_runtime().ledger, batch.id)
    items = await asyncio.to_thread(look)
    rows = [{"item": item.item, "verdict": item.verdict or "not judged", **item.scores} for item in items]
    if rows:
        description = f"Judge's scores of {batch.label}"
        await _made(
            TableArtifact(key=f"verdicts-{batch.id}", table=rows, description=description), items, look
        )


async def show_deliverables(batch: Batch) -> None:
    """The deliverables of a batch, one under the other, as their readers get them, and what they were made from."""
    ledger = current_runtime().ledger
    look = partial(list_deliverables, ledger, batch.id, SHOWN)
    made = await asyncio.to_thread(look)
    text = "\n\n---\n\n".join(f"*{one.kind}, {one.form.replace('_', ' ')}*\n\n{one.markdown}" for one in made)
    origins = await asyncio.to_thread(batch_origins, ledger, batch.id)
    page = f"{text}\n\n---\n\n{provenance(batch.id, origins)}"
    description = f"Deliverables of {batch.label}"
    shown = MarkdownArtifact(key=f"deliverables-{batch.id}", markdown=page, description=description)
    await _made(shown, made, look)


async def show_diagnosis(batch: Batch, diagnosis: Diagnosis) -> None:
    """Why a batch stopped, what to do, and which events it holds."""
    ledger = current_runtime().ledger
    look = partial(batch_origins, ledger, batch.id)
    origins = await asyncio.to_thread(look)
    text = f"# {batch.label}\n\n{to_markdown(diagnosis)}\n\n---\n\n{provenance(batch.id, origins)}"
    shown = MarkdownArtifact(
        key=f"diagnosis-{batch.id}", markdown=text, description=f"Why {batch.label} stopped"
    )
    await _made(shown, origins, look)


async def _made(artifact: Artifact, seen: object, look: Callable[[], object]) -> None:
    """Make an artifact of what was `seen` in the ledger; not where that has been erased before the server had it."""
    async with display_client() as client:
        made = await artifact.acreate(client)
        if await asyncio.to_thread(look) != seen:
            await client.delete_artifact(made.id)


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


class ProgressBar:
    """A progress artifact that is drawn behind the work, anew at most once in `PROGRESS_EVERY`."""

    def __init__(self, total: int, now: datetime) -> None:
        self._wanted, self._drawn = (0, total), (-1, -1)
        self._moved_at = now - PROGRESS_EVERY
        self._artifact: UUID | None = None
        self._is_being_drawn = False

    async def show(self, done: int, total: int, now: datetime) -> None:
        """Move the bar to `done` of `total` batches; the end is always shown."""
        if done < total and timedelta() <= now - self._moved_at < PROGRESS_EVERY:
            return
        self._wanted, self._moved_at = (done, total), now
        if not self._is_being_drawn:
            self._is_being_drawn = True
            await draw(self._follow())

    async def _follow(self) -> None:
        """Draw what is wanted by now; a server that is away is asked again when the bar moves next."""
        try:
            while self._drawn != self._wanted:
                wanted = self._wanted
                await self._draw(*wanted)
                self._drawn = wanted
        finally:
            self._is_being_drawn = False

    async def _draw(self, done: int, total: int) -> None:
        part, said = 100.0 * done / max(total, 1), f"{done} of {total} batches"
        async with display_client() as client:
            if self._artifact is None:
                bar = ProgressArtifact(key="lane-progress", progress=part, description=said)
                self._artifact = (await bar.acreate(client)).id
            else:
                await aupdate_progress_artifact(self._artifact, part, description=said, client=client)
