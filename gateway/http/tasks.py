"""`/v1/tasks`: a prompt and a document in, accepted, and a call back when what they asked for is made."""

import asyncio
import logging
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.batches import BatchState, Scope
from contracts.events import Kind, Priority, Who, event_key
from gateway.http.events import LIMITS, taken_in
from gateway.http.limits import read_body
from gateway.http.problems import RefusedError, answers
from gateway.http.state import DESCRIBED, Gateway, Opened, Reader
from ledger.callbacks import ask_for_callback, callback_state
from ledger.deliveries import list_deliverables
from ledger.event_reads import EventPlace, event_status
from ledger.sql import Writable
from tasks.channels import RefusedTargetError
from tasks.channels.addresses import check_url
from tasks.signing import new_signing_secret
from tasks.sources.aws.clients import AwayError, GoneError
from tasks.sources.aws.shapes import place_of
from tasks.sources.records import RawRecord

router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["tasks"])
_LOG: Final = logging.getLogger("penstock")
SOURCE: Final = "/v1/tasks"

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


_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TaskRequest"}}},
    }
}


@router.post(
    "/tasks", status_code=202, openapi_extra=_BODY, responses=answers(400, 401, 408, 413, 422, 429, 503)
)
async def post_task(request: Request, gateway: Opened, sender: Reader) -> TaskAccepted:
    """Ask for something to be made of a prompt and, with it, of a document."""
    if sender.signing_secret is not None:
        raise RefusedError(401, "Not signed", "a key that signs sends events to /v1/events")
    task = _asked(await read_body(request, LIMITS.record_bytes, gateway.settings.http_body_s))
    gateway.rate.spend(sender.tenant, 1)
    if task.callback_url is not None:
        _check_callback(task.callback_url, gateway)
    document = await _document(task.document_reference, gateway, sender.tenant)
    number = task.id or uuid4().hex
    event: dict[str, Any] = {
        "id": number,
        "source": SOURCE,
        "type": Kind.DOCUMENT.value,
        "priority": task.priority.value,
        "user": task.user,
        "data": {
            "title": task.prompt.partition("\n")[0][:200],
            "text": f"{task.prompt}\n\n{document}".strip(),
        },
    }
    key = event_key(sender.tenant, SOURCE, number)
    asked = _Callback(key, sender.tenant, task.callback_url, gateway)
    record = RawRecord(1, orjson.dumps(event), event, None)
    (receipt,) = await taken_in([record], gateway, sender.tenant, asked.keep)
    if receipt.status is None:
        raise RefusedError(422, "Rejected", receipt.reason or "it cannot be a task")
    return TaskAccepted(task=key.hex(), status=f"/v1/tasks/{key.hex()}", callback_secret=asked.told)


class _Callback:
    """Whom to call for a task: kept with it or not at all; a task that was sent before keeps its first."""

    def __init__(self, key: bytes, tenant: str, url: str | None, gateway: Gateway) -> None:
        self._key, self._tenant, self._url, self._now = key, tenant, url, gateway.now()
        self._secret = new_signing_secret()
        self.told: str | None = None

    def keep(self, connection: Writable) -> None:
        """Part of the transaction that takes the task in."""
        if self._url is None:
            return
        given = {"tenant": self._tenant, "url": self._url, "secret": self._secret}
        if ask_for_callback(connection, self._key, **given, now=self._now):
            self.told = self._secret


def _asked(body: bytes) -> TaskRequest:
    try:
        return TaskRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise RefusedError(422, "Unusable task", f"{where}: {first['msg']}") from error


@router.get("/tasks/{number}", responses=answers(401, 404, 422, 503))
async def get_task(number: str, gateway: Opened, sender: Reader) -> TaskStatus:
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
        async with gateway.fetching:
            content = await gateway.fetch(place)
    except GoneError as error:
        raise RefusedError(422, "Unusable document", f"documentReference: {error}") from error
    except AwayError as error:
        # Why is the operator's to know, not the sender's.
        _LOG.warning("documents cannot be had: %s", error)
        raise RefusedError(
            503, "Not now", "the document cannot be had; send the task again", {"retry-after": "5"}
        ) from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(422, "Unusable document", f"documentReference: it is no text: {error}") from error
