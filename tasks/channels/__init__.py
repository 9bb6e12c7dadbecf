"""Channels: the ways by which deliverables leave. Each sends one message of the outbox, or says why it cannot."""

from collections.abc import Awaitable, Callable, Mapping

from ledger.outbox import OutboxMessage
from ledger.subscriptions import Subscription, read_subscription
from tasks.runtime import Runtime

Send = Callable[[Runtime, OutboxMessage], Awaitable[None]]
"""Sends a message, at least once; raises `UndeliveredError` or `RefusedTargetError` where it cannot."""

Channels = Mapping[str, Send]
"""By the kind of a channel, which is its name up to a colon."""


class UndeliveredError(Exception):
    """The receiver was not reached, or did not take it; it is tried again."""


class RefusedTargetError(Exception):
    """Nothing is sent there, now or later; the message says why."""


async def subscription_of(run: Runtime, message: OutboxMessage) -> Subscription:
    """Where the message goes; RefusedTargetError where nobody gets it any more."""
    found = await run.in_ledger(read_subscription, message.channel.partition(":")[2])
    if found is None or found.ended_at is not None:
        raise RefusedTargetError(f"the subscription {message.channel} has ended")
    return found
