"""What became of events: batches with their stages and verdicts, deliverables. Each tenant sees its own."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel

from contracts.batches import Batch
from contracts.deliverables import Deliverable
from gateway.http.problems import RefusedError, answers
from gateway.http.state import DESCRIBED, Gateway, Opened, Reader
from ledger.batch_reads import batch_event_ids, batch_history, read_batch
from ledger.deliveries import list_deliverables, read_deliverable
from ledger.errors import AmbiguousIdError
from ledger.items import read_items
from ledger.stages import read_stages

T = TypeVar("T")
router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["what became of them"])


class Move(BaseModel):
    """One move of a batch from a state to another."""

    state: str
    at: datetime
    reason: str


class StageStatus(BaseModel):
    """A stage that a batch has been through, or is in."""

    stage: str
    state: str
    started_at: datetime
    finished_at: datetime | None


class ItemStatus(BaseModel):
    """A generated item and its judge's verdict; `scores` by criterion, 0 to 1."""

    item: str
    stage: str
    verdict: str | None
    scores: dict[str, float]


class BatchStatus(BaseModel):
    """Where a batch stands, how it came there, and what has been made for it."""

    id: str
    scope: str
    user: str | None
    level: str
    pipeline: str
    state: str
    reason: str | None
    created_at: datetime
    events: list[str]
    history: list[Move]
    stages: list[StageStatus]
    items: list[ItemStatus]
    deliverables: list[str]


@router.get("/batches/{batch_id}", responses=answers(401, 404, 503))
async def get_batch(batch_id: str, gateway: Opened, sender: Reader) -> BatchStatus:
    """Where a batch stands."""
    batch = await _own_batch(batch_id, gateway, sender.tenant)
    return await asyncio.to_thread(_status, gateway, batch)


@router.get("/batches/{batch_id}/deliverables", responses=answers(401, 404, 503))
async def get_deliverables(batch_id: str, gateway: Opened, sender: Reader) -> list[Deliverable]:
    """Everything that a batch delivers; nothing before it is done."""
    batch = await _own_batch(batch_id, gateway, sender.tenant)
    return list(await asyncio.to_thread(list_deliverables, gateway.ledger, batch.id))


@router.get(
    "/deliverables/{deliverable_id}",
    response_model=Deliverable,
    responses={200: {"content": {"text/markdown": {}}}, **answers(401, 404, 503)},
)
async def get_deliverable(
    deliverable_id: str, gateway: Opened, sender: Reader, form: str = "json"
) -> Deliverable | Response:
    """One deliverable: whole, or with `form=markdown` as its reader gets it."""
    found = await _found(lambda: read_deliverable(gateway.ledger, deliverable_id))
    if found is None or found.tenant != sender.tenant:
        raise RefusedError(404, "Unknown deliverable", f"there is no deliverable {deliverable_id!r} of yours")
    return PlainTextResponse(found.markdown, media_type="text/markdown") if form == "markdown" else found


async def _own_batch(batch_id: str, gateway: Gateway, tenant: str) -> Batch:
    batch = await _found(lambda: read_batch(gateway.ledger, batch_id))
    if batch is None or batch.tenant != tenant:
        # The same words for a batch of somebody else: who asks learns nothing of it.
        raise RefusedError(404, "Unknown batch", f"there is no batch {batch_id!r} of yours")
    return batch


async def _found(look: Callable[[], T | None]) -> T | None:
    """What a beginning of an id leads to; nothing where several begin so, for they may be anybody's."""
    try:
        return await asyncio.to_thread(look)
    except AmbiguousIdError:
        return None


def _status(gateway: Gateway, batch: Batch) -> BatchStatus:
    ledger = gateway.ledger
    moves = [
        Move(state=one.to_state, at=one.at, reason=one.reason) for one in batch_history(ledger, batch.id)
    ]
    stages: list[dict[str, Any]] = [
        {name: getattr(one, name) for name in StageStatus.model_fields}
        for one in read_stages(ledger, batch.id)
    ]
    items = [
        ItemStatus(item=one.item, stage=one.stage, verdict=one.verdict, scores=one.scores)
        for one in read_items(ledger, batch.id)
    ]
    told = {name: getattr(batch, name) for name in BatchStatus.model_fields if hasattr(batch, name)}
    return BatchStatus(
        **told
        | {
            "events": list(batch_event_ids(ledger, batch.id)),
            "history": moves,
            "stages": [StageStatus(**one) for one in stages],
            "items": items,
            "deliverables": [f"/v1/deliverables/{one.id}" for one in list_deliverables(ledger, batch.id)],
        }
    )
