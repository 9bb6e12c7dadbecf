"""Leases of batches: taken with a claim, kept while the work lasts, handed back when it is broken off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from contracts.batches import BatchWork
from ledger.claims import release_leases, renew_lease
from ledger.errors import LeaseLostError, LedgerFaultError
from tasks.runtime import Runtime, current_runtime

RENEWALS = 3
"""How often a lease is renewed in the time it runs."""


async def claimed(run: Runtime, claiming: Callable[..., BatchWork | None], *which: str) -> BatchWork | None:
    """A batch by `claim` or `claim_next`, ours for the time of the lease; given back where we end meanwhile."""
    lease = run.in_ledger(
        claiming,
        *which,
        lease_id=run.new_id(),
        owner=run.owner,
        now=run.clock(),
        lease_for=run.settings.lease,
    )
    claim_made = asyncio.ensure_future(lease)
    try:
        return await asyncio.shield(claim_made)
    except asyncio.CancelledError:
        if (work := await claim_made) is not None:
            give_back([work], run)
        raise


def give_back(broken_off: Iterable[BatchWork], run: Runtime) -> None:
    """Make batches whose runs are broken off READY again; what they have done by now is kept. Does not await."""
    leases = {work.batch.id: work.lease for work in broken_off}
    # Where the ledger fails, the leases run out.
    with suppress(LedgerFaultError):
        release_leases(run.ledger, leases, reason="the run was stopped", now=run.clock())


@asynccontextmanager
async def kept_lease(work: BatchWork) -> AsyncIterator[None]:
    """Renew the batch's lease for as long as the block runs; LeaseLostError ends it when another worker has it."""
    block = asyncio.current_task()
    renewing = asyncio.create_task(_renew(work))
    has_ended = False

    def stop(_: asyncio.Task[None]) -> None:
        # A callback that is due already cannot be taken back: what comes after the block is not ours to cancel.
        if not has_ended:
            block.cancel()  # type: ignore[union-attr] # a coroutine runs in a task

    renewing.add_done_callback(stop)
    try:
        yield
    except asyncio.CancelledError:
        if not renewing.done():
            raise
        block.uncancel()  # type: ignore[union-attr]
        renewing.result()
    finally:
        has_ended = True
        renewing.cancel()


async def _renew(work: BatchWork) -> None:
    """Renew until told otherwise. A ledger that cannot be reached is asked again while the lease still runs."""
    run = current_runtime()
    held_until = run.clock() + run.settings.lease
    while True:
        await asyncio.sleep(run.settings.lease_s / RENEWALS)
        until = run.clock() + run.settings.lease
        try:
            held = await asyncio.to_thread(renew_lease, run.ledger, [work.lease], until)
        except LedgerFaultError:
            if run.clock() >= held_until:
                raise
            continue
        if not held:
            raise LeaseLostError(f"{work.batch.id} is held by another worker now, or may be")
        held_until = until
