"""Claims: which batch is next, who holds it and until when.

A claim is a lease. Whoever lets it run out loses the batch: it becomes READY again, and what was committed for
it so far is found by the next holder.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, exists, func, literal, select, update

from contracts.batches import Batch, BatchState, BatchWork
from contracts.events import Priority
from contracts.versions import UnknownVersionError, as_written
from ledger.batch_reads import event_rows, to_batch, to_event
from ledger.columns import Moment
from ledger.engine import Ledger
from ledger.errors import UnreadableBatchError
from ledger.sql import among, writing
from ledger.tables import batches, turns
from ledger.transitions import update_state

_READY = batches.c.state == BatchState.READY.value
_RUNNING = batches.c.state == BatchState.RUNNING.value

EventRows = Sequence[Row[Any]]
"""The rows of a batch's events, in their order."""


def claim_next(
    ledger: Ledger,
    *,
    lease_id: str,
    owner: str,
    now: datetime,
    lease_for: timedelta,
    level: Priority | None = None,
) -> BatchWork | None:
    """Claim the READY batch whose turn it is, of this level or of any; None if none is READY.

    The highest lane goes first; in it the tenant that was served longest ago, and of its batches the oldest.
    Two claimers never get the same batch.

    Raises:
        UnreadableBatchError: it is claimed, but its events are of a version that this Penstock does not read.
    """
    claims = claim_several(
        ledger, lease_ids=[lease_id], owner=owner, now=now, lease_for=lease_for, level=level
    )
    for claimed in claims:
        if isinstance(claimed, UnreadableBatchError):
            raise claimed
        return claimed
    return None


def claim_several(
    ledger: Ledger,
    *,
    lease_ids: Sequence[str],
    owner: str,
    now: datetime,
    lease_for: timedelta,
    level: Priority | None = None,
) -> list[BatchWork | UnreadableBatchError]:
    """Claim READY batches, one a lease, each in the turn that `claim_next` would give it; fewer where there are fewer.

    One that cannot be read is claimed as well, and is its error in the list.
    """
    taken: list[tuple[Batch, str, EventRows]] = []
    # Read within the transaction: where reading fails, nothing is claimed.
    with writing(ledger, "claims") as connection:
        for lease in lease_ids:
            if (batch_id := _next_ready(connection, level)) is None:
                break
            if batch := _take(connection, batch_id, lease, owner, now, now + lease_for):
                taken.append((batch, lease, event_rows(connection, batch.id)))
    return [_work_or_why_not(*one) for one in taken]


def claim(
    ledger: Ledger, batch_id: str, *, lease_id: str, owner: str, now: datetime, lease_for: timedelta
) -> BatchWork | None:
    """Claim this batch; None if it is not READY or does not exist. Raises as `claim_next`."""
    with writing(ledger, "claims") as connection:
        batch = _take(connection, batch_id, lease_id, owner, now, now + lease_for)
        rows = () if batch is None else event_rows(connection, batch.id)
    return None if batch is None else _work(batch, lease_id, rows)


def renew_lease(ledger: Ledger, lease_ids: Sequence[str], until: datetime) -> frozenset[str]:
    """Let these leases run until then; return those that still hold a batch (the others are lost)."""
    with writing(ledger) as connection:
        held = connection.execute(
            update(batches)
            .where(_RUNNING, among(connection, batches.c.lease, lease_ids))
            .values(lease_until=until)
            .returning(batches.c.lease)
        ).scalars()
        return frozenset(lease for lease in held if lease is not None)


def release_leases(
    ledger: Ledger, leases: Mapping[str, str], *, reason: str, now: datetime
) -> frozenset[str]:
    """Give RUNNING batches back before their work is done, READY for anyone; `leases` by the batch's id.

    Returns those that were given back: one that has ended by now, or is another's, is left as it is.
    """
    with writing(ledger) as connection:
        return frozenset(
            batch
            for batch, lease in leases.items()
            if update_state(
                connection, batch, {BatchState.RUNNING}, BatchState.READY, reason, {}, now=now, lease=lease
            )
        )


def _next_ready(connection: Connection, level: Priority | None) -> str | None:
    highest = select(func.max(batches.c.lane)).where(_READY)
    lane = connection.execute(highest).scalar() if level is None else level.rank
    if lane is None:
        return None
    in_lane = (_READY, batches.c.lane == lane)
    tenant = (
        select(turns.c.tenant)
        .where(exists().where(*in_lane, batches.c.tenant == turns.c.tenant))
        .order_by(turns.c.turn, turns.c.first_at, turns.c.tenant)
        .limit(1)
        .scalar_subquery()
    )
    oldest = (
        select(batches.c.id)
        .where(*in_lane, batches.c.tenant == tenant)
        .order_by(batches.c.created_at, batches.c.id)
        .limit(1)
    )
    batch_id: str | None = connection.execute(oldest).scalar()
    return batch_id


def _take(
    connection: Connection, batch_id: str, lease: str, owner: str, now: datetime, until: datetime
) -> Batch | None:
    held = {
        "lease": lease,
        "lease_owner": owner,
        "lease_until": until,
        "started_at": func.coalesce(batches.c.started_at, literal(now, Moment())),
        "resume_at": None,
    }
    reason = f"claimed by {owner}"
    if (
        update_state(connection, batch_id, {BatchState.READY}, BatchState.RUNNING, reason, held, now=now)
        is None
    ):
        return None
    row = connection.execute(select(batches).where(batches.c.id == batch_id)).one()
    last = select(func.coalesce(func.max(turns.c.turn), 0) + 1).scalar_subquery()
    connection.execute(update(turns).where(turns.c.tenant == row.tenant).values(turn=last))
    return to_batch(row)


def _work_or_why_not(batch: Batch, lease: str, rows: EventRows) -> BatchWork | UnreadableBatchError:
    try:
        return _work(batch, lease, rows)
    except UnreadableBatchError as error:
        return error


def _work(batch: Batch, lease: str, rows: EventRows) -> BatchWork:
    try:
        return BatchWork(batch=batch, events=tuple(map(to_event, rows)), lease=lease)
    except (UnknownVersionError, ValidationError) as error:
        work = BatchWork(batch=batch, events=(), lease=lease)
        raise UnreadableBatchError(work, [as_written(row.payload) for row in rows], error) from error
