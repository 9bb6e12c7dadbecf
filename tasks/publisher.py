"""The publisher: what the outbox holds goes out, each message by its channel; what fails waits, ever longer."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from contracts.versions import UnknownVersionError, as_written
from ledger.dead_letters import DeadLetter
from ledger.errors import LedgerFaultError
from ledger.outbox import OutboxMessage, give_up, has_messages, mark_failed, mark_published, take_messages
from ledger.pauses import DELIVERY
from tasks.channels import Channels, RefusedTargetError
from tasks.channels.webhooks import to_webhook
from tasks.delivery import FILE_CHANNEL, publish_to_files, remove_files
from tasks.diagnosis.debugger import diagnose
from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.redact import redact
from tasks.diagnosis.report import FailureContext
from tasks.letters import Lost, dead_letter
from tasks.runtime import Runtime

AT_ONCE: Final = 100
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
ATTEMPTS: Final = 10

SIDE_BY_SIDE: Final = 16
"""How many receivers are spoken to at once."""

HOPELESS: Final = (UnknownVersionError, ValidationError, RefusedTargetError)
"""What is kept cannot be read, or is sent nowhere; whatever else keeps a message here is tried again."""


async def to_files(run: Runtime, message: OutboxMessage) -> None:
    """Write a deliverable into the installation's folder."""
    await asyncio.to_thread(lambda: publish_to_files(run.settings.deliverables, message.deliverable))


CHANNELS: Final[Channels] = {FILE_CHANNEL: to_files, "webhook": to_webhook}


async def publish(runtime: Runtime, channels: Channels = CHANNELS) -> int:
    """Publish all that is due in the outbox; returns how many left. One at a time in a process: it does for all."""
    published = 0
    async with runtime.publishing:
        while taken := await _taken(runtime):
            errors = await _attempt_all(taken, channels, runtime)
            sent = [message for message in taken if message.id not in errors]
            for message in taken:
                if message.id in errors:
                    await _put_off(message, errors[message.id], runtime)
            there = await runtime.in_ledger(mark_published, [one.id for one in sent], runtime.clock())
            for erased in (one.stored for one in sent if one.id not in there):
                remove_files(runtime.settings.deliverables, erased.tenant, erased.batch_id)
            published += len(there)
    return published


async def _taken(runtime: Runtime) -> tuple[OutboxMessage, ...]:
    now = runtime.clock()
    if not await runtime.in_ledger(has_messages, now):
        return ()
    return await runtime.in_ledger(take_messages, now, AT_ONCE, runtime.settings.delivery_hold)


async def _attempt_all(
    messages: Iterable[OutboxMessage], channels: Channels, runtime: Runtime
) -> dict[int, Exception]:
    """One attempt at each, side by side; the errors of those that failed."""
    errors: dict[int, Exception] = {}
    turn = asyncio.Semaphore(SIDE_BY_SIDE)

    async def attempt(message: OutboxMessage) -> None:
        async with turn:
            try:
                await channels[message.channel.partition(":")[0]](runtime, message)
            except LedgerFaultError:
                raise
            except Exception as error:  # noqa: BLE001 - one channel's trouble is no other's
                errors[message.id] = error

    await asyncio.gather(*map(attempt, messages))
    return errors


async def _put_off(message: OutboxMessage, error: Exception, runtime: Runtime) -> None:
    """What failed is tried again later, and at last, or where it cannot be read, is a dead letter."""
    if not isinstance(error, HOPELESS) and message.attempts < ATTEMPTS:
        said = redact(f"{type(error).__name__}: {error}", runtime.settings.secrets)
        await runtime.in_ledger(mark_failed, message.id, said, runtime.clock() + wait_after(message.attempts))
    else:
        await runtime.in_ledger(give_up, message.id, await _letter(message, error, runtime))


def wait_after(attempts: int) -> timedelta:
    """How long a message waits after its n-th attempt: twice as long each time, up to an hour."""
    return min(FIRST_WAIT * (1 << (attempts - 1)), LONGEST_WAIT)


async def _letter(message: OutboxMessage, error: Exception, runtime: Runtime) -> DeadLetter:
    stored = message.stored
    original = as_written(stored.payload)
    context = FailureContext(
        stage=DELIVERY,
        batch=stored.batch_id,
        tenant=stored.tenant,
        level="-",
        scope="tenant" if stored.user is None else "user",
        attempts=message.attempts,
        secrets=runtime.settings.secrets,
    )
    report = describe_failure(error, context)
    diagnosis = await diagnose(error, context, None)
    lost = Lost(
        payload={
            "deliverable": stored.id,
            "message": message.id,
            "channel": message.channel,
            "original": original,
        },
        verdicts={stored.id: original.get("scores", {})} if isinstance(original, dict) else {},
        spent=stored.cost_usd,
        begun=stored.created_at,
    )
    return dead_letter(lost, report, context, diagnosis, runtime)
