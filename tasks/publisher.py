"""The publisher: what the outbox holds goes out, each message by its channel; what fails waits, ever longer."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from contracts.deliverables import Deliverable
from ledger.dead_letters import DeadLetter
from ledger.outbox import OutboxMessage, give_up, mark_failed, mark_published, take_messages
from ledger.pauses import DELIVERY
from tasks.delivery import FILE_CHANNEL, publish_to_files, remove_files
from tasks.diagnosis import diagnose
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
        for erased in (one.deliverable for one in sent if one.id not in there):
            remove_files(runtime.settings.deliverables, erased.tenant, erased.batch)
        published += len(there)
    return published


async def _publish(message: OutboxMessage, runtime: Runtime) -> bool:
    """One attempt; what fails is tried again later, and at last becomes a dead letter."""
    try:
        await asyncio.to_thread(CHANNELS[message.channel], runtime, message.deliverable)
    except OSError as error:
        if message.attempts < ATTEMPTS:
            said = redact(f"{type(error).__name__}: {error}", runtime.secrets)
            next_at = runtime.clock() + wait_after(message.attempts)
            await runtime.in_ledger(mark_failed, message.id, said, next_at)
        else:
            await runtime.in_ledger(give_up, message.id, await _letter(message, error, runtime))
        return False
    return True


def wait_after(attempts: int) -> timedelta:
    """How long a message waits after its n-th attempt: twice as long each time, up to an hour."""
    return min(FIRST_WAIT * (1 << (attempts - 1)), LONGEST_WAIT)


async def _letter(message: OutboxMessage, error: OSError, runtime: Runtime) -> DeadLetter:
    deliverable = message.deliverable
    context = FailureContext(
        stage=DELIVERY,
        batch=deliverable.batch,
        tenant=deliverable.tenant,
        level="-",
        scope="tenant" if deliverable.user is None else "user",
        attempts=message.attempts,
        secrets=runtime.secrets,
    )
    report = describe_failure(error, context)
    diagnosis = await diagnose(error, context, None)
    lost = Lost(
        payload={"deliverable": deliverable.id, "message": message.id, "channel": message.channel},
        verdicts={deliverable.id: deliverable.scores},
        spent=Decimal(str(deliverable.provenance.cost_usd)),
        begun=deliverable.created_at,
    )
    return dead_letter(lost, report, context, diagnosis, runtime)
