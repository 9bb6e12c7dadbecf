"""What requests find open, and who sends them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from gateway.http.access import Access
from gateway.http.counts import Counts
from gateway.http.feed import Feed
from gateway.http.intake import Desk
from gateway.http.limits import RateLimit
from ledger.api_keys import Holder
from ledger.engine import Ledger
from tasks.redaction.redactor import Redactor
from tasks.settings import Settings
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.mapper import Mapper


@dataclass(frozen=True)
class Gateway:
    """What requests find open."""

    settings: Settings
    ledger: Ledger
    access: Access
    desk: Desk
    feed: Feed
    rate: RateLimit
    mapper: Mapper
    redactor: Redactor | None
    now: Callable[[], datetime]
    fetch: Callable[[ObjectPlace], Awaitable[bytes]]
    fetching: asyncio.Semaphore
    counts: Counts


def gateway_of(request: Request) -> Gateway:
    """What is open for a request."""
    found: Gateway = request.app.state.gateway
    return found


# For the API's description; `Access` reads the headers.
DESCRIBED = [
    Security(HTTPBearer(auto_error=False, description="An API key: `pst_...`.")),
    Security(
        APIKeyHeader(name="x-api-key", auto_error=False, description="The same in a header of its own.")
    ),
]


async def holder_of(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Holder:
    """Who sends a request. Raises as `Access.holder`."""
    return await gateway.access.holder(request)


async def sender_of(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Holder:
    """Who sends a body, by a key or a signature that is yet to be checked. Raises as `Access.sender`."""
    return await gateway.access.sender(request)


Opened = Annotated[Gateway, Depends(gateway_of)]
Reader = Annotated[Holder, Depends(holder_of)]
Signer = Annotated[Holder, Depends(sender_of)]
