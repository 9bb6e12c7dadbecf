"""What is there to do now: batches to claim, and those that become READY when their time comes."""

from datetime import datetime

from sqlalchemy import func, or_, select, union_all

from contracts.batches import RESUMABLE, BatchState
from contracts.events import Priority
from ledger.engine import Ledger
from ledger.holds import released_by_holds
from ledger.sql import reading, writing
from ledger.tables import batches
from ledger.transitions import update_state

_READY = batches.c.state == BatchState.READY.value
_RUNNING = batches.c.state == BatchState.RUNNING.value
_RESUMABLE = batches.c.state.in_(sorted(state.value for state in RESUMABLE))


def release_due(ledger: Ledger, now: datetime) -> int:
    """Make READY what is due, and return how many; the reasons are in their histories.

    That is PENDING and HELD batches whose time has come, HELD ones whose hold is over, and RUNNING ones whose lease
    ran out.
    """
    query = (
        select(batches.c.id, batches.c.state, batches.c.lease_owner)
        .where(or_(_RESUMABLE & (batches.c.resume_at <= now), _RUNNING & (batches.c.lease_until <= now)))
        .order_by(batches.c.id)
        .with_for_update(skip_locked=True)
    )
    freed = {"resume_at": None, "lease": None, "lease_owner": None}
    with writing(ledger) as connection:
        due = connection.execute(query).all()
        for batch_id, state, owner in due:
            why = (
                f"the lease of {owner} ran out"
                if state == BatchState.RUNNING
                else f"the time to leave {state} came"
            )
            update_state(connection, batch_id, {BatchState(state)}, BatchState.READY, why, freed, now=now)
        over = released_by_holds(connection, now)
        for batch_id, why in over:
            update_state(connection, batch_id, {BatchState.HELD}, BatchState.READY, why, freed, now=now)
    return len(due) + len(over)


def is_release_due(ledger: Ledger, now: datetime) -> bool:
    """True when `release_due` would find something."""
    at = next_due(ledger)
    if at is not None and at <= now:
        return True
    with reading(ledger) as connection:
        return bool(released_by_holds(connection, now))


def next_due(ledger: Ledger) -> datetime | None:
    """When the next batch's own time or lease ends; None if nothing is waiting for a time."""
    moments = union_all(
        select(func.min(batches.c.resume_at).label("at")).where(_RESUMABLE),
        select(func.min(batches.c.lease_until).label("at")).where(_RUNNING),
    ).subquery()
    with reading(ledger) as connection:
        due: datetime | None = connection.execute(select(func.min(moments.c.at))).scalar()
    return due


def count_ready(ledger: Ledger, level: Priority | None = None) -> int:
    """How many batches wait to be claimed, of this level or of all."""
    wanted = _READY if level is None else _READY & (batches.c.lane == level.rank)
    with reading(ledger) as connection:
        return connection.execute(select(func.count()).select_from(batches).where(wanted)).scalar_one()
