"""`GET /v1/events/KEY`: where an event stands, with the batches it is in and the files that came with it."""

import asyncio
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.http.problems import RefusedError, answers
from gateway.http.state import DESCRIBED, Gateway, Opened, Reader
from ledger.attachment_reads import list_attachments
from ledger.event_reads import event_status

MOST_FILES = 50
router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["events"])


class Part(BaseModel):
    """A batch that an event is in."""

    id: str
    scope: str
    level: str
    state: str
    link: str


class File(BaseModel):
    """A file that came with an event."""

    id: str
    name: str
    state: str
    reason: str | None = Field(None, description="Why it was refused.")
    media_type: str | None = None


class EventStatus(BaseModel):
    """Where an event stands: the batches it is in, none while it waits for one, and the files that came with it."""

    id: str
    source: str
    type: str
    priority: str
    accepted_at: datetime
    batches: list[Part]
    attachments: list[File]


@router.get("/events/{key}", responses=answers(401, 404, 503))
async def get_event(key: str, gateway: Opened, sender: Reader) -> EventStatus:
    """Where an event stands."""
    found = await asyncio.to_thread(event_status, gateway.ledger, key, sender.tenant)
    if found is None:
        raise RefusedError(404, "Unknown event", f"there is no event {key!r} of yours")
    parts = [Part(**batch, link=f"/v1/batches/{batch['id']}") for batch in found.batches]
    return EventStatus(
        id=found.id,
        source=found.source,
        type=found.kind,
        priority=found.priority,
        accepted_at=found.accepted_at,
        batches=parts,
        attachments=await asyncio.to_thread(_files, gateway, sender.tenant, bytes.fromhex(key)),
    )


def _files(gateway: Gateway, tenant: str, key: bytes) -> list[File]:
    return [
        File(
            id=one.attachment.id,
            name=one.attachment.name,
            state=one.state,
            reason=one.reason,
            media_type=one.attachment.findings and one.attachment.findings.media_type,
        )
        for one in list_attachments(gateway.ledger, tenant, key, MOST_FILES)
    ]
