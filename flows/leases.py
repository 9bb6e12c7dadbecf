"""Leases of batches: taken with a claim, kept while the work lasts, handed back when it is broken off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from contracts.batches import BatchWork
from contracts.events import Priority
from ledger.claims import claim, claim_several, release_leases, renew_lease
from ledger.engine import Ledger
from ledger.errors import LeaseLostError, LedgerFaultError, UnreadableBatchError
from tasks.runtime import Runtime, current_runtime

RENEWALS = 3
"""How often a lease is renewed in the time it runs."""


Claim = BatchWork | UnreadableBatchError
"""What a claim brings: a batch, or why the batch that it holds cannot be read."""


async def claimed(run: Runtime, batch: str) -> Claim | None:
    """That batch, ours for the time of the lease, unless it is not READY."""
    return next(iter(await _kept(run, partial(_claim, batch), 1)), None)


async def claimed_in_turn(run: Runtime, level: Priority | None, most: int) -> list[Claim]:
    """READY batches of this level or of any whose turn it is, ours for the time of their leases."""
    return await _kept(run, partial(claim_several, level=level), most)


def _claim(batch: str, ledger: Ledger, *, lease_ids: list[str], **terms: Any) -> list[Claim]:  # noqa: ANN401 - as `claim` takes them
    try:
        work = claim(ledger, batch, lease_id=lease_ids[0], **terms)
    except UnreadableBatchError as error:
        return [error]
    return [] if work is None else [work]


async def _kept(run: Runtime, claiming: Callable[..., list[Claim]], most: int) -> list[Claim]:
    """What `claiming` brings under so many new leases; given back where we end meanwhile."""
    claims = run.in_ledger(
        claiming,
        lease_ids=[run.new_id() for _ in range(most)],
        owner=run.owner,
        now=run.clock(),
        lease_for=run.settings.lease,
    )
    made = asyncio.ensure_future(claims)
    try:
        return await asyncio.shield(made)
    except asyncio.CancelledError:
        give_back((one if isinstance(one, BatchWork) else one.work for one in await made), run)
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
