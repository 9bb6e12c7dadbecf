"""Webhooks: a deliverable posted to whoever subscribed, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from ledger.outbox import OutboxMessage
from ledger.subscriptions import UnknownSubscriptionError, end_subscription
from tasks.channels import RefusedTargetError, UndeliveredError, subscription_of
from tasks.channels.addresses import Target, resolved
from tasks.runtime import Runtime

WITHIN_S: Final = 10.0
TYPE: Final = "deliverable.published"
_SHOWN: Final = 200


class GoneError(Exception):
    """The receiver says that it is gone, and for good (410)."""


async def to_webhook(run: Runtime, message: OutboxMessage) -> None:
    """Post a deliverable to whoever subscribed.

    Raises:
        UndeliveredError: the receiver did not take it within ten seconds.
        RefusedTargetError: nothing is sent there: its address is private, or it said that it is gone.
    """
    subscription = await subscription_of(run, message)
    made = message.deliverable.model_dump(mode="json")
    try:
        await post(run, subscription.target, subscription.secret, message.idempotency_key, TYPE, made)
    except GoneError as error:
        # Another message may have ended it a moment ago.
        with suppress(UnknownSubscriptionError):
            await run.in_ledger(end_subscription, subscription.id, run.clock())
        raise RefusedTargetError(f"{error}; its subscription has ended") from error


async def post(
    run: Runtime, url: str, secret: str | None, number: str, kind: str, data: dict[str, Any]
) -> None:
    """Post something under its number; a redirect is an answer like any other, and is not followed.

    Raises:
        UndeliveredError: the receiver did not take it within ten seconds.
        RefusedTargetError: its address may not be called.
        GoneError: it said that it is gone.
    """
    target, now = await resolved(url, run.settings.webhook_networks), run.clock()
    body = orjson.dumps({"type": kind, "timestamp": now.isoformat(), "data": data})
    headers = {"content-type": "application/json", "user-agent": "penstock", "host": target.name}
    headers |= _signed(secret, number, now, body)
    try:
        async with asyncio.timeout(WITHIN_S):
            status, said = await _posted(target, body, headers)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise UndeliveredError(
            f"{target.name} was not reached: {type(error).__name__} {error}".strip()
        ) from error
    if status == httpx.codes.GONE:
        raise GoneError(f"{target.name} says that it is gone")
    if not httpx.codes.is_success(status):
        raise UndeliveredError(f"{target.name} answered {status}: {said}")


def _signed(secret: str | None, number: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers by which the receiver knows who sent it, when, and whether it has it already."""
    headers = {"webhook-id": number, "webhook-timestamp": str(int(now.timestamp()))}
    if secret is not None:
        headers["webhook-signature"] = Webhook(secret).sign(number, now, body.decode())
    return headers


async def _posted(target: Target, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """The status, and the beginning of what was said with it: an answer may be as long as it likes."""
    async with (
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=WITHIN_S) as client,
        client.stream(
            "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.host}
        ) as answer,
    ):
        async for piece in answer.aiter_raw(_SHOWN):
            return answer.status_code, piece[:_SHOWN].decode(errors="replace")
        return answer.status_code, ""
