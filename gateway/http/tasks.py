"""`/v1/tasks`: a prompt and a document in, accepted, and a call back when what they asked for is made."""

import asyncio
import secrets
from base64 import b64encode
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.batches import BatchState, Scope
from contracts.events import Kind, Priority, Who
from gateway.http.events import taken_in
from gateway.http.problems import RefusedError, answers
from gateway.http.state import DESCRIBED, Gateway, Opened, Sender
from ledger.callbacks import ask_for_callback, callback_state
from ledger.deliveries import list_deliverables
from ledger.event_reads import EventPlace, event_status
from tasks.channels import RefusedTargetError
from tasks.channels.addresses import check_url
from tasks.sources.aws.clients import AwayError, GoneError
from tasks.sources.aws.shapes import place_of
from tasks.sources.records import RawRecord

router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["tasks"])
SOURCE: Final = "/v1/tasks"
SECRET_BYTES: Final = 32

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
Url = Annotated[str, StringConstraints(max_length=2_048)]


class TaskRequest(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    prompt: Text = Field(description="What it is about, in words.")
    document_reference: Url | None = Field(
        None,
        alias="documentReference",
        description="`s3://...`: a text to go with it, below the tenant's own prefix.",
    )
    callback_url: Url | None = Field(
        None, alias="callbackUrl", description="Who is called when the task has ended; https, and public."
    )
    id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        None, description="Sent again under the same id it is the same task."
    )
    user: Who | None = None
    priority: Priority = Priority.HIGH


class TaskAccepted(BaseModel):
    """The task is in the ledger."""

    task: str = Field(description="The task's number.")
    status: str = Field(description="Where to ask how far it is.")
    callback_secret: str | None = Field(
        None,
        serialization_alias="callbackSecret",
        description="What the callback is signed with; shown this once.",
    )


class CallbackStatus(BaseModel):
    """How far the callback is."""

    state: Literal["PENDING", "SENT", "FAILED"]
    attempts: int
    last_error: str | None = Field(None, serialization_alias="lastError")


class TaskStatus(BaseModel):
    """How far a task is: `waiting` for a batch, `working`, `done` or `failed`."""

    task: str
    status: Literal["waiting", "working", "done", "failed"]
    batch: str | None = None
    deliverables: list[str] = Field(default_factory=list)
    callback: CallbackStatus | None = None


@router.post("/tasks", status_code=202, responses=answers(400, 401, 409, 422, 429, 503))
async def post_task(task: TaskRequest, gateway: Opened, sender: Sender) -> TaskAccepted:
    """Ask for something to be made of a prompt and, with it, of a document."""
    if sender.signing_secret is not None:
        raise RefusedError(401, "Not signed", "a key that signs sends events to /v1/events")
    gateway.rate.spend(sender.tenant, 1)
    if task.callback_url is not None:
        _check_callback(task.callback_url, gateway)
    document = await _document(task.document_reference, gateway, sender.tenant)
    event = {
        "id": task.id or uuid4().hex,
        "source": SOURCE,
        "type": Kind.DOCUMENT.value,
        "priority": task.priority.value,
        "user": task.user,
        "data": {
            "title": task.prompt.partition("\n")[0][:200],
            "text": f"{task.prompt}\n\n{document}".strip(),
        },
    }
    (receipt,) = await taken_in([RawRecord(1, b"", event, None)], gateway, sender.tenant)
    if receipt.status is None:
        raise RefusedError(422, "Rejected", receipt.reason or "it cannot be a task")
    number = receipt.status.rpartition("/")[2]
    secret = await _callback(number, task, gateway, sender.tenant)
    return TaskAccepted(task=number, status=f"/v1/tasks/{number}", callback_secret=secret)


@router.get("/tasks/{number}", responses=answers(401, 404, 422, 503))
async def get_task(number: str, gateway: Opened, sender: Sender) -> TaskStatus:
    """How far a task is."""
    found = await asyncio.to_thread(event_status, gateway.ledger, number, sender.tenant)
    if found is None or found.source != SOURCE:
        raise RefusedError(404, "Unknown task", f"there is no task {number!r} of yours")
    return await asyncio.to_thread(_status, number, found, gateway)


def _status(number: str, found: EventPlace, gateway: Gateway) -> TaskStatus:
    """By the tenant's batch of the task's own level."""
    own = [one for one in found.batches if one["scope"] == Scope.TENANT and one["level"] == found.priority]
    state = own[0]["state"] if own else None
    called = callback_state(gateway.ledger, bytes.fromhex(number))
    made = list_deliverables(gateway.ledger, own[0]["id"]) if state == BatchState.DONE else ()
    return TaskStatus(
        task=number,
        status=_WORDS.get(state or "", "working" if own else "waiting"),
        batch=own[0]["id"] if own else None,
        deliverables=[f"/v1/deliverables/{one.id}" for one in made],
        callback=called
        and CallbackStatus(state=called.state, attempts=called.attempts, last_error=called.last_error),
    )


_WORDS: Final[dict[str, Literal["done", "failed"]]] = {
    BatchState.DONE.value: "done",
    BatchState.FAILED.value: "failed",
    BatchState.DEAD.value: "failed",
}


def _check_callback(url: str, gateway: Gateway) -> None:
    try:
        check_url(url, gateway.settings.webhook_networks)
    except RefusedTargetError as error:
        raise RefusedError(422, "Unusable callback", f"callbackUrl: {error}") from error


async def _document(reference: str | None, gateway: Gateway, tenant: str) -> str:
    """The text that a reference leads to: only below the place that the operator gives each tenant."""
    if reference is None:
        return ""
    place, allowed = place_of(reference), gateway.settings.documents
    within = None if allowed is None else allowed.format(tenant=quote(tenant, safe=""))
    if place is None or within is None or not reference.startswith(within) or ".." in place.key:
        raise RefusedError(
            422,
            "Unusable document",
            f"documentReference: give s3://... below {within or 'a place of yours: none is set'}",
        )
    try:
        content = await asyncio.to_thread(gateway.fetch, place)
    except GoneError as error:
        raise RefusedError(422, "Unusable document", f"documentReference: {error}") from error
    except AwayError as error:
        raise RefusedError(
            503, "Not now", "the document cannot be had; send the task again", {"retry-after": "5"}
        ) from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(422, "Unusable document", f"documentReference: it is no text: {error}") from error


async def _callback(number: str, task: TaskRequest, gateway: Gateway, tenant: str) -> str | None:
    """Keep whom to call, and with what it is signed; a task that was sent before keeps its first."""
    if task.callback_url is None:
        return None
    key = bytes.fromhex(number)
    if await asyncio.to_thread(callback_state, gateway.ledger, key) is not None:
        return None
    secret = f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    given: dict[str, Any] = {
        "tenant": tenant,
        "url": task.callback_url,
        "secret": secret,
        "now": gateway.now(),
    }
    await asyncio.to_thread(ask_for_callback, gateway.ledger, key, **given)
    return secret
