"""Broadcast: commit a batch's deliverables, and the messages they leave by, together with its end."""

import asyncio

from contracts.batches import BatchState
from ledger.costs import item_costs
from ledger.deliveries import commit_batch
from ledger.subscriptions import channels_for
from ledger.work import read_items
from tasks.delivery import FILE_CHANNEL, deliverables_of
from tasks.outcome import Outcome
from tasks.runtime import Runtime
from tasks.stages.base import BatchContext


async def broadcast(context: BatchContext, lease: str, runtime: Runtime) -> Outcome:
    """Deliverables, outbox messages and DONE in one transaction; `tasks.publisher` sends them."""
    ledger, batch = runtime.ledger, context.batch
    stored = {item.item: item for item in await asyncio.to_thread(read_items, ledger, batch.id)}
    costs = await asyncio.to_thread(item_costs, ledger, batch.id)
    made = deliverables_of(context, stored, costs, runtime.clock())
    channels = [FILE_CHANNEL, *await asyncio.to_thread(channels_for, ledger, batch.tenant)]
    await asyncio.to_thread(commit_batch, ledger, batch.id, lease, made, channels, runtime.clock())
    reason = f"{len(made)} deliverables from {batch.size} events"
    return Outcome(batch, BatchState.DONE, reason, deliverables=len(made))
