"""Broadcast: commit a batch's deliverables together with its end, then publish what the outbox holds."""

import asyncio
from datetime import timedelta

from contracts.batches import BatchState
from ledger.costs import item_costs
from ledger.deliveries import OutboxMessage, commit_batch, due_messages, mark_failed, mark_published
from ledger.work import read_items
from tasks.delivery import FILE_CHANNEL, deliverables_of, publish_to_files
from tasks.outcome import Outcome
from tasks.runtime import Runtime
from tasks.stages.base import BatchContext

RETRY_AFTER = timedelta(seconds=30)
AT_ONCE = 500


async def broadcast(context: BatchContext, lease: str, runtime: Runtime) -> Outcome:
    """Deliverables, outbox messages and DONE in one transaction; then out they go."""
    ledger, batch = runtime.ledger, context.batch
    stored = {item.item: item for item in await asyncio.to_thread(read_items, ledger, batch.id)}
    costs = await asyncio.to_thread(item_costs, ledger, batch.id)
    made = deliverables_of(context, stored, costs, runtime.clock())
    await asyncio.to_thread(commit_batch, ledger, batch.id, lease, made, [FILE_CHANNEL], runtime.clock())
    await publish(runtime)
    reason = f"{len(made)} deliverables from {batch.size} events"
    return Outcome(batch, BatchState.DONE, reason, deliverables=len(made))


async def publish(runtime: Runtime) -> int:
    """Publish what is due in the outbox; returns how many left. What fails stays due, a little later."""
    due = await asyncio.to_thread(due_messages, runtime.ledger, runtime.clock(), AT_ONCE)
    return await asyncio.to_thread(_publish_all, due, runtime)


def _publish_all(due: tuple[OutboxMessage, ...], runtime: Runtime) -> int:
    sent = []
    for message in due:
        try:
            publish_to_files(runtime.settings.deliverables, message.deliverable)
        except OSError as error:
            retry_at = runtime.clock() + RETRY_AFTER
            mark_failed(runtime.ledger, message.id, f"{type(error).__name__}: {error}", retry_at)
        else:
            sent.append(message.id)
    mark_published(runtime.ledger, sent, runtime.clock())
    return len(sent)
