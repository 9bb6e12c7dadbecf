"""Webhooks: a deliverable posted to whoever subscribed, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
from typing import Final

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from ledger.outbox import OutboxMessage
from ledger.subscriptions import Subscription, end_subscription
from tasks.channels import RefusedTargetError, UndeliveredError, subscription_of
from tasks.channels.addresses import Target, resolved
from tasks.runtime import Runtime

WITHIN_S: Final = 10.0
TYPE: Final = "deliverable.published"
_SHOWN: Final = 200


async def to_webhook(run: Runtime, message: OutboxMessage) -> None:
    """Post a deliverable; a redirect is an answer like any other that is no success, and is not followed.

    Raises:
        UndeliveredError: the receiver did not take it within ten seconds.
        RefusedTargetError: nothing is sent there: its address is private, or it said that it is gone (410).
    """
    subscription = await subscription_of(run, message)
    target = await resolved(subscription.target, run.settings.webhook_networks)
    body = _body(message, run)
    headers = {"content-type": "application/json", "user-agent": "penstock", "host": target.name}
    headers |= _signed(subscription, message, body, run)
    try:
        async with asyncio.timeout(WITHIN_S):
            status, said = await _posted(target, body, headers)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise UndeliveredError(
            f"{target.name} was not reached: {type(error).__name__} {error}".strip()
        ) from error
    if status == httpx.codes.GONE:
        await run.in_ledger(end_subscription, subscription.id, run.clock())
        raise RefusedTargetError(f"{target.name} says that it is gone; its subscription has ended")
    if not httpx.codes.is_success(status):
        raise UndeliveredError(f"{target.name} answered {status}: {said}")


def _body(message: OutboxMessage, run: Runtime) -> bytes:
    """The same bytes each time but for the time."""
    made = message.deliverable.model_dump(mode="json")
    return orjson.dumps({"type": TYPE, "timestamp": run.clock().isoformat(), "data": made})


def _signed(subscription: Subscription, message: OutboxMessage, body: bytes, run: Runtime) -> dict[str, str]:
    """The headers by which the receiver knows who sent it, when, and whether it has it already."""
    now, number = run.clock(), message.idempotency_key
    headers = {"webhook-id": number, "webhook-timestamp": str(int(now.timestamp()))}
    if subscription.secret is not None:
        headers["webhook-signature"] = Webhook(subscription.secret).sign(number, now, body.decode())
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
