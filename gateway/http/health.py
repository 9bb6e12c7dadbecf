"""Whether this gateway lives, and whether it can take anything in: for whoever stands before it or starts it again."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from gateway.http.problems import answers
from gateway.http.state import Opened
from ledger.news import newest_news

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """It is well."""

    status: str = "ok"


@router.get("/livez")
async def live() -> Health:
    """It answers; a new process would do no better."""
    return Health()


@router.get("/readyz", responses=answers(503))
async def ready(gateway: Opened) -> Health:
    """Its ledger answers, so that events can be taken in."""
    await asyncio.to_thread(newest_news, gateway.ledger)
    return Health()
