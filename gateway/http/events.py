"""`POST /v1/events`: events in, each acknowledged when it is in the ledger."""

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from contracts.events import Rejection
from gateway.http.intake import ORIGIN
from gateway.http.limits import read_body
from gateway.http.modes import BATCH, LINES, PLAIN, STRUCTURED, records_of
from gateway.http.problems import RefusedError, answer, answers
from gateway.http.state import DESCRIBED, Gateway, Opened, Signer
from ledger.intake import Also, PreparedEvent, Taken
from tasks.sources.prepare import outcome_of
from tasks.sources.records import Limits, RawRecord

LIMITS: Final = Limits()
MOST_RECORDS: Final = 10_000
FEW: Final = 20
"""So many events are made ready between two other requests; more have a thread of their own."""
router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["events"])


class Receipt(BaseModel):
    """What became of one event that was sent."""

    outcome: Literal["accepted", "duplicate", "rejected"]
    id: str | None = Field(None, description="The event's id, as it was sent.")
    status: str | None = Field(None, description="Where to ask what becomes of it.")
    reason: str | None = Field(None, description="Why it was rejected, in a sentence.")


class Receipts(BaseModel):
    """What became of each event of a batch, in its order, and how many came to what."""

    accepted: int
    duplicates: int
    rejected: int
    events: list[Receipt]


_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_BODIES: Final = {
    "requestBody": {
        "required": True,
        "content": {
            PLAIN: {"schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
            STRUCTURED: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "items": _EVENT}},
            LINES: {"schema": {"type": "string", "description": "One event a line."}},
        },
    }
}


@router.post(
    "/events",
    status_code=202,
    response_model=Receipt,
    openapi_extra=_BODIES,
    responses={
        200: {"model": Receipt, "description": "It was there already."},
        207: {"model": Receipts, "description": "A batch: what became of each event."},
        **answers(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
    },
)
async def post_events(request: Request, gateway: Opened, sender: Signer) -> Response:
    """Take in an event, or a batch of them.

    CloudEvents 1.0 structured, binary (`ce-` headers) or as a batch; the same as plain JSON; or NDJSON. An event
    that was sent before is a duplicate and changes nothing. What is acknowledged is in the ledger.
    """
    _, most_bytes = gateway.settings.http_limits(sender.tenant)
    body = await read_body(request, most_bytes, gateway.settings.http_body_s)
    mark = await gateway.access.check_signature(sender, request, body)
    records, is_batch = await asyncio.to_thread(records_of, request.headers, body, LIMITS)
    if len(records) > MOST_RECORDS:
        raise RefusedError(413, "Too many", f"a request may have {MOST_RECORDS:,} events; send several")
    gateway.rate.spend(sender.tenant, len(records))
    receipts = await taken_in(records, gateway, sender.tenant)
    await gateway.access.spent(sender, mark)
    return answer(_told(receipts), 207) if is_batch else _of_one(receipts[0])


async def taken_in(
    records: Sequence[RawRecord], gateway: Gateway, tenant: str, also: Also | None = None
) -> list[Receipt]:
    """What became of each record, in order; every one of them is on record then, with what `also` writes."""
    # Many, or such as are searched for personal data, would hold up everybody else.
    if len(records) > FEW or gateway.redactor is not None:
        outcomes = await asyncio.to_thread(_outcomes, records, gateway, tenant)
    else:
        outcomes = _outcomes(records, gateway, tenant)
    prepared = [one for one in outcomes if isinstance(one, PreparedEvent)]
    refused = [one for one in outcomes if isinstance(one, Rejection)]
    taken = iter(await gateway.desk.take_in(prepared, refused, also) if outcomes else ())
    receipts = [
        _receipt(one, next(taken))
        if isinstance(one, PreparedEvent)
        else Receipt(outcome="rejected", reason=one.reason)
        for one in outcomes
    ]
    _count(receipts, gateway, tenant)
    return receipts


def _outcomes(records: Sequence[RawRecord], gateway: Gateway, tenant: str) -> list[PreparedEvent | Rejection]:
    return [_outcome(record, gateway, tenant) for record in records]


def _outcome(record: RawRecord, gateway: Gateway, tenant: str) -> PreparedEvent | Rejection:
    """A record as its sender's; what is another tenant's, by whatever it says or a route makes of it, is refused."""
    value = record.value
    if value is not None and value.get("tenant") not in (None, "", tenant):
        record = record._replace(value=None, problem=_not_theirs(tenant))
    elif value is not None:
        record = record._replace(value={**value, "tenant": tenant})
    outcome = outcome_of(record, ORIGIN, gateway.mapper, gateway.redactor)
    if isinstance(outcome, PreparedEvent) and outcome.tenant != tenant:
        raw = record.raw.decode(errors="backslashreplace")
        return Rejection(origin=ORIGIN, line=record.line, reason=_not_theirs(tenant), raw=raw, tenant=tenant)
    return outcome


def _count(receipts: Sequence[Receipt], gateway: Gateway, tenant: str) -> None:
    """By outcome, and the rejected by kind of reason, each kind with the first of its reasons in the log."""
    kinds: dict[str, list[str]] = {}
    for receipt in receipts:
        gateway.counts.events(receipt.outcome)
        if receipt.reason is not None:
            kinds.setdefault(_kind(receipt), []).append(receipt.reason)
    for kind, reasons in kinds.items():
        gateway.counts.rejected(kind, tenant, reasons[0], len(reasons))


def _kind(rejected: Receipt) -> str:
    """Of what kind a rejection is: a conflict alone names an event, for it is one."""
    if rejected.id is not None:
        return "Other content"
    return "Another tenant's" if str(rejected.reason).endswith(_FOR_NO_OTHER) else "No event"


_FOR_NO_OTHER: Final = "and may send for no other"


def _not_theirs(tenant: str) -> str:
    return f"the key is of the tenant {tenant!r}, {_FOR_NO_OTHER}"


def _receipt(event: PreparedEvent, taken: Taken) -> Receipt:
    if taken is Taken.CONFLICT:
        return Receipt(
            outcome="rejected",
            id=event.id,
            reason=f"the id {event.id!r} from {event.source!r} already exists with other content",
        )
    return Receipt(outcome=taken.value, id=event.id, status=f"/v1/events/{event.key.hex()}")


def _told(receipts: Sequence[Receipt]) -> Receipts:
    counts = {
        name: sum(one.outcome == name for one in receipts) for name in ("accepted", "duplicate", "rejected")
    }
    return Receipts(
        accepted=counts["accepted"],
        duplicates=counts["duplicate"],
        rejected=counts["rejected"],
        events=list(receipts),
    )


def _of_one(receipt: Receipt) -> Response:
    if receipt.outcome == "rejected":
        raise RefusedError(422, "Rejected", receipt.reason or "it cannot be an event")
    status = 202 if receipt.outcome == "accepted" else 200
    headers = {"location": receipt.status} if receipt.status else None
    return answer(receipt, status, headers)
