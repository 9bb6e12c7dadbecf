"""For operators: whether this gateway lives, whether it can take anything in, and what it has done."""

import asyncio
import hmac

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel
from starlette.exceptions import HTTPException

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


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, gateway: Opened) -> Response:
    """For Prometheus, with the token that the operator has set; without one there is no such page."""
    token = gateway.settings.metrics_token
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token is None or not hmac.compare_digest(sent.encode(), token.get_secret_value().encode()):
        raise HTTPException(404)
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(await asyncio.to_thread(encode, gateway.counts.registry), media_type=kind)
