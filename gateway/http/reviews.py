"""`/v1/reviews`: what was drawn for a tenant's reviewers, and what they say of it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contracts.reviews import Review, Reviewer, ReviewVerdict, Score
from gateway.http.problems import RefusedError, answers
from gateway.http.state import DESCRIBED, Opened, Reader
from ledger.batch_reads import read_batch
from ledger.errors import AmbiguousIdError
from ledger.reviews import ReviewedBeforeError, UnknownItemError, record_review, to_review

router = APIRouter(prefix="/v1", dependencies=DESCRIBED, tags=["reviews"])


class ReviewRequest(BaseModel):
    """A person's review of an item."""

    batch: str = Field(description="The batch's whole id.")
    item: str
    reviewer: Reviewer
    verdict: ReviewVerdict = Field(description="`edit`: good once changed; as it stands it may not leave.")
    scores: dict[str, Score] = Field(default_factory=dict, description="By criterion, 0 to 1.")
    edited: str | None = Field(None, max_length=100_000, description="The text as it should be.")
    comment: str | None = Field(None, max_length=10_000)


class DrawnItem(BaseModel):
    """An item that was drawn for review; what the judge says of it stays away, for it would sway people."""

    batch: str
    item: str
    kind: str
    form: str
    content: dict[str, Any]


@router.get("/reviews/next", responses=answers(401, 422, 503))
async def get_next_reviews(
    gateway: Opened,
    sender: Reader,
    reviewer: Annotated[Reviewer, Query()],
    count: Annotated[int, Query(ge=1, le=100)] = 1,
) -> list[DrawnItem]:
    """What this person has not reviewed yet of what was drawn, the oldest first."""
    found = await asyncio.to_thread(to_review, gateway.ledger, reviewer, count, sender.tenant)
    return [
        DrawnItem(batch=one.batch, item=one.item, kind=one.kind, form=one.form, content=one.content)
        for one in found
    ]


@router.post("/reviews", status_code=201, responses=answers(401, 404, 409, 422, 503))
async def post_review(asked: ReviewRequest, gateway: Opened, sender: Reader) -> ReviewRequest:
    """Say what is to become of an item. A person reviews an item once, and the first review stands."""
    try:
        batch = await asyncio.to_thread(read_batch, gateway.ledger, asked.batch)
    except AmbiguousIdError:
        batch = None
    if batch is None or batch.tenant != sender.tenant or batch.id != asked.batch:
        raise RefusedError(404, "Unknown batch", f"there is no batch {asked.batch!r} of yours")
    try:
        await asyncio.to_thread(record_review, gateway.ledger, Review(**asked.model_dump()), gateway.now())
    except UnknownItemError as error:
        raise RefusedError(404, "Unknown item", str(error)) from error
    except ReviewedBeforeError as error:
        raise RefusedError(409, "Reviewed before", str(error)) from error
    return asked
