"""The publisher: what the outbox holds goes out, each message by its channel; what fails waits, ever longer."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from contracts.deliverables import Deliverable
from contracts.versions import UnknownVersionError, as_written
from ledger.dead_letters import DeadLetter
from ledger.outbox import OutboxMessage, give_up, mark_failed, mark_published, take_messages
from ledger.pauses import DELIVERY
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

Publish = Callable[[Runtime, Deliverable], object]

CHANNELS: Final[Mapping[str, Publish]] = {
    FILE_CHANNEL: lambda run, deliverable: publish_to_files(run.settings.deliverables, deliverable)
}


async def publish(runtime: Runtime) -> int:
    """Publish all that is due in the outbox; returns how many left."""
    published = 0
    while taken := await runtime.in_ledger(
        take_messages, runtime.clock(), AT_ONCE, runtime.settings.delivery_hold
    ):
        sent = [message for message in taken if await _publish(message, runtime)]
        there = await runtime.in_ledger(mark_published, [one.id for one in sent], runtime.clock())
        for erased in (one.stored for one in sent if one.id not in there):
            remove_files(runtime.settings.deliverables, erased.tenant, erased.batch_id)
        published += len(there)
    return published


async def _publish(message: OutboxMessage, runtime: Runtime) -> bool:
    """One attempt; what fails is tried again later, and at last, or where it cannot be read, is a dead letter."""
    try:
        await asyncio.to_thread(CHANNELS[message.channel], runtime, message.deliverable)
    except (UnknownVersionError, ValidationError) as error:
        await runtime.in_ledger(give_up, message.id, await _letter(message, error, runtime))
        return False
    except OSError as error:
        if message.attempts < ATTEMPTS:
            said = redact(f"{type(error).__name__}: {error}", runtime.settings.secrets)
            next_at = runtime.clock() + wait_after(message.attempts)
            await runtime.in_ledger(mark_failed, message.id, said, next_at)
        else:
            await runtime.in_ledger(give_up, message.id, await _letter(message, error, runtime))
        return False
    return True


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
